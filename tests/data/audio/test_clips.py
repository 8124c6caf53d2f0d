"""The pre-training data set: reproducible crops and masks, and faults told by name."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fairseq.data import FileAudioDataset
from speech import write_clip, write_manifest
from torch.utils.data import DataLoader

from data2vec_plugin.core.config import SpanMaskConfig
from data2vec_plugin.core.masks.masking import BatchMasker, SpanMasker
from data2vec_plugin.data.audio.clips import AudioFileError, CheckedAudioDataset, LoaderMasks, SeededAudioDataset
from data2vec_plugin.data.sample_seeds import SampleSeeds

LAYERS = [(8, 10, 5), (8, 3, 2), (8, 3, 2), (8, 3, 2), (8, 3, 2), (8, 2, 2), (8, 2, 2)]
SIZES = {"a.wav": 30_000, "b.flac": 24_000, "c.wav": 18_000}


def masks(channel_prob: float = 0.0, same_share: bool = True) -> LoaderMasks:
    channels = SpanMasker(SpanMaskConfig(prob=channel_prob, length=2)) if channel_prob else None
    spans = SpanMasker(SpanMaskConfig(min_masks=1, same_share=same_share))
    return LoaderMasks(LAYERS, BatchMasker(spans, channels, 8))


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    for seed, (name, size) in enumerate(SIZES.items()):
        write_clip(tmp_path / name, size, seed=seed)
    return write_manifest(tmp_path / "train.tsv", tmp_path, SIZES)


def dataset(manifest: Path, seed: int = 1, **options: Any) -> SeededAudioDataset:
    options.setdefault("masks", masks())
    return SeededAudioDataset(str(manifest), 16_000, SampleSeeds(seed), normalize=True, **options)


def test_crops_and_masks_follow_seed_epoch_and_id_only(manifest: Path) -> None:
    free = masks(same_share=False)
    first, second = dataset(manifest, masks=free), dataset(manifest, masks=free)
    whole = first.collater([first[i] for i in (0, 1, 2)])["net_input"]
    # another order and another instance: a sample looks the same as long as the batch has one length
    other = second.collater([second[i] for i in (2, 0)])["net_input"]
    torch.testing.assert_close(whole["source"][0], other["source"][1], rtol=0, atol=0)
    torch.testing.assert_close(whole["source"][2], other["source"][0], rtol=0, atol=0)
    assert torch.equal(whole["mask"]["indices"][0], other["mask"]["indices"][1])
    assert torch.equal(whole["mask"]["indices"][2], other["mask"]["indices"][0])


def test_padded_rows_whose_masks_may_differ_know_nothing_of_their_batch(manifest: Path) -> None:
    free = masks(same_share=False)
    data = dataset(manifest, pad=True, masks=free)
    whole = data.collater([data[i] for i in (0, 1, 2)])["net_input"]
    for row in (0, 1, 2):
        alone = dataset(manifest, pad=True, masks=free)
        net_input = alone.collater([alone[row]])["net_input"]
        frames = net_input["mask"]["indices"].size(1)
        assert torch.equal(whole["mask"]["indices"][row, :frames], net_input["mask"]["indices"][0])
        assert not whole["mask"]["indices"][row, frames:].any()
        torch.testing.assert_close(
            whole["source"][row, : net_input["source"].size(1)], net_input["source"][0], rtol=0, atol=0
        )


def test_another_epoch_or_seed_gives_another_crop_and_mask(manifest: Path) -> None:
    data, reseeded = dataset(manifest), dataset(manifest, seed=2)
    first = data.collater([data[0], data[2]])["net_input"]
    data.set_epoch(2)
    later = data.collater([data[0], data[2]])["net_input"]
    seeded = reseeded.collater([reseeded[0], reseeded[2]])["net_input"]
    for other in (later, seeded):
        assert not torch.equal(first["source"][0], other["source"][0])
        assert not torch.equal(first["mask"]["indices"], other["mask"]["indices"])


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_that_outlive_an_epoch_draw_anew(manifest: Path, workers: int) -> None:
    data = dataset(manifest)
    keep = workers > 0
    loader = DataLoader(
        data, batch_sampler=[[0, 2]], num_workers=workers, collate_fn=data.collater, persistent_workers=keep
    )
    sources = []
    for epoch in (1, 2, 1):
        data.set_epoch(epoch)
        (batch,) = list(loader)
        sources.append(batch["net_input"]["source"])
    assert not torch.equal(sources[0], sources[1])
    torch.testing.assert_close(sources[0], sources[2], rtol=0, atol=0)


def test_masks_come_with_their_positions_and_leave_padding_out(manifest: Path) -> None:
    data = dataset(manifest, pad=True, masks=masks(channel_prob=0.5))
    batch = data.collater([data[i] for i in (0, 1, 2)])["net_input"]
    indices = batch["mask"]["indices"]
    assert torch.equal(indices.flatten().nonzero().squeeze(1), batch["mask"]["positions"])
    frames = (~batch["padding_mask"]).sum(1) // 320
    assert all(not indices[row, int(count) :].any() for row, count in enumerate(frames))
    assert batch["mask"]["channels"].shape == (3, 8)


def test_without_masks_the_model_is_left_to_draw_them(manifest: Path) -> None:
    data = dataset(manifest, masks=None)
    assert set(data.collater([data[0], data[1]])["net_input"]) == {"source"}


def test_unpadded_batches_carry_no_padding_mask(manifest: Path) -> None:
    data = dataset(manifest, pad=True)
    assert "padding_mask" not in data.collater([data[0]])["net_input"]


def test_batches_hold_every_clip_also_where_fairseq_main_drops_the_last(
    manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock = FileAudioDataset.batch_by_size

    def as_main(self: FileAudioDataset, *args: Any, required_batch_size_multiple: int = 1, **limits: Any) -> Any:
        batches = stock(self, *args, required_batch_size_multiple=required_batch_size_multiple, **limits)
        return batches[:-1] if batches and len(batches[-1]) % required_batch_size_multiple else batches

    monkeypatch.setattr(FileAudioDataset, "batch_by_size", as_main)
    data = dataset(manifest)
    order = data.ordered_indices()
    limits = {"max_tokens": 60_000, "required_batch_size_multiple": 8}
    assert as_main(data, order, **limits) != data.batch_by_size(order, **limits)
    assert np.concatenate(data.batch_by_size(order, **limits)).tolist() == order.tolist()
    assert np.concatenate(data.batch_by_size(order, max_sentences=1)).tolist() == order.tolist()


def test_short_clips_are_left_out_counted_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sizes = {"long.wav": 30_000, "short.wav": 3_000}
    for name, size in sizes.items():
        write_clip(tmp_path / name, size)
    data = dataset(write_manifest(tmp_path / "train.tsv", tmp_path, sizes))
    assert len(data) == 1
    assert "skipped 1 of 2 clips" in caplog.text
    assert "short.wav" in caplog.text
    assert data.where(0).endswith("long.wav")


def test_only_short_clips_is_an_error(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.wav", 3_000)
    with pytest.raises(ValueError, match=r"all 1 clips are under \d+ samples"):
        dataset(write_manifest(tmp_path / "train.tsv", tmp_path, {"a.wav": 3_000}))


def test_nine_frames_are_too_few_for_a_mask_of_ten(tmp_path: Path) -> None:  # B10
    shortest = masks().shortest_clip()
    sizes = {"nine.wav": 9 * 320 + 80, "eleven.wav": shortest}
    for name, size in sizes.items():
        write_clip(tmp_path / name, size)
    data = dataset(write_manifest(tmp_path / "train.tsv", tmp_path, sizes))
    for epoch in range(1, 50):
        data.set_epoch(epoch)
        indices = data.collater([data[0]])["net_input"]["mask"]["indices"]
        assert indices.shape == (1, 11)
        assert 0 < int(indices.sum()) < 11


def test_clips_that_no_mask_fits_into_name_what_asks_for_longer_ones(manifest: Path) -> None:
    wide = LoaderMasks(LAYERS, BatchMasker(SpanMasker(SpanMaskConfig(length=500))), "a span of `model.mask_length` 500")
    with pytest.raises(
        ValueError, match=r"all 3 clips are under 160400 samples .*`model\.mask_length` 500.*: lower it"
    ):
        dataset(manifest, masks=wide)
    write_manifest(manifest, manifest.parent, {"a.wav": 300})
    with pytest.raises(ValueError, match=r"under 400 samples .*`model\.conv_feature_layers`\)"):
        CheckedAudioDataset(str(manifest), 16_000, shortest=400)


def test_another_rate_is_refused_with_the_command_that_resamples(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.wav", 30_000, rate=8_000)
    data = dataset(write_manifest(tmp_path / "train.tsv", tmp_path, {"a.wav": 30_000}))
    with pytest.raises(
        AudioFileError,
        match=r"train\.tsv:2: .*a\.wav.*8000, expected 16000.*`data2vec manifest FOLDER --resample-to NEW_FOLDER`",
    ):
        data[0]


def test_what_a_manifest_lists_is_read_whatever_its_name(tmp_path: Path) -> None:
    """Colons, upper-case endings, a folder with a colon; a byte order mark and Windows' line ends."""
    root = tmp_path / "at 12:30"
    names = ["rec:1:2.wav", "b:c/12:30:45.WAV", "d.FLAC", "plain.wav"]
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        plain = write_clip(tmp_path / f"clip{Path(name).suffix.lower()}", 20_000)
        plain.rename(root / name)
    path = tmp_path / "train.tsv"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join([str(root), *(f"{n}\t20000" for n in names), ""]).encode())
    data = CheckedAudioDataset(str(path), 16_000)
    assert [len(data[index]["source"]) for index in range(4)] == [20_000] * 4
    assert data.sizes.tolist() == [20_000] * 4
    assert data.where(1) == f"{path}:3: {root / names[1]}"


def test_a_segment_of_a_recording_says_what_it_is(tmp_path: Path) -> None:
    write_clip(tmp_path / "long.wav", 40_000)
    manifest = write_manifest(tmp_path / "train.tsv", tmp_path, {"long.wav:8000:16000": 16_000})
    with pytest.raises(AudioFileError, match="not samples: to use a part"):
        CheckedAudioDataset(str(manifest), 16_000)[0]


def test_what_is_read_is_what_fairseq_reads(manifest: Path) -> None:
    ours, theirs = (
        CheckedAudioDataset(str(manifest), 16_000, pad=True),
        FileAudioDataset(str(manifest), 16_000, pad=True),
    )
    assert ours.sizes.tolist() == theirs.sizes.tolist()
    assert ours.skipped_indices == theirs.skipped_indices
    for index in range(len(SIZES)):
        torch.testing.assert_close(ours[index]["source"], theirs[index]["source"], rtol=0, atol=0)
