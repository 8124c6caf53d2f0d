"""A saved position belongs to one manifest."""

from pathlib import Path
from typing import Any

import pytest
from fairseq.data.iterators import EpochBatchIterator, GroupedIterator
from speech import write_clip, write_manifest

from data2vec_plugin.data.audio.clips import AudioFileError, SeededAudioDataset
from data2vec_plugin.data.resumable import STAND_IN, BatchesChangedError, ManifestChangedError, ResumableIterator
from data2vec_plugin.data.sample_seeds import SampleSeeds

SIZES = {f"{name}.wav": 30_000 for name in "abcd"}


def iterator(
    manifest: Path, shards: int = 1, bad_limit: int = 0, take_turns: bool = False, clips: int = 1
) -> ResumableIterator:
    data = SeededAudioDataset(str(manifest), 16_000, SampleSeeds(1), None, bad_limit=bad_limit)
    batches = [list(range(len(data)))[first : first + clips] for first in range(0, len(data), clips)]
    return ResumableIterator(
        EpochBatchIterator(data, data.collater, batches, num_shards=shards), data.manifest, data.digest, take_turns
    )


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    for name in SIZES:
        write_clip(tmp_path / name, SIZES[name])
    return write_manifest(tmp_path / "train.tsv", tmp_path, SIZES)


def position_after_two_batches(manifest: Path) -> "dict[str, object]":
    made = iterator(manifest)
    batches = made.next_epoch_itr(shuffle=False)
    next(batches), next(batches)
    return made.state_dict()


def test_goes_on_where_it_was(manifest: Path) -> None:
    resumed = iterator(manifest)
    resumed.load_state_dict(position_after_two_batches(manifest))
    assert resumed.iterations_in_epoch == 2
    assert [int(batch["id"]) for batch in resumed.next_epoch_itr()] in ([2, 3], [3, 2])
    assert resumed.end_of_epoch()


def test_nothing_follows_a_file_that_is_noted_and_not_raised(manifest: Path) -> None:
    (manifest.parent / "c.wav").write_bytes(b"")
    made, reported = iterator(manifest), []
    made.report = reported.append
    batches = [[int(index) for index in batch.get("id", [])] for batch in made.next_epoch_itr(shuffle=False)]
    assert batches == [[0], [1], [], []]
    (error,) = reported
    assert "c.wav: cannot be read" in str(error)
    assert made.batches is not None
    assert made.batches.n == 4


@pytest.mark.parametrize(("begun", "seen"), [(0, 6), (3, 3)])
@pytest.mark.parametrize("noting", [True, False])
def test_an_epoch_may_leave_its_remainder_out(tmp_path: Path, begun: int, seen: int, noting: bool) -> None:
    write_clip(tmp_path / "a.wav", 1_000)
    made = iterator(
        write_manifest(tmp_path / "train.tsv", tmp_path, {"./" * number + "a.wav": 1_000 for number in range(7)})
    )
    if noting:
        made.report = [].append
    made.load_state_dict({"epoch": 1, "iterations_in_epoch": begun, "shuffle": False})
    grouped = GroupedIterator(made.next_epoch_itr(), 3, skip_remainder_batch=True)
    assert sum(len(batches) for batches in grouped) == seen
    assert made.end_of_epoch()
    assert made.next_epoch_idx == 2


def test_what_stands_in_is_looked_for_behind_files_that_end_the_run(manifest: Path) -> None:
    for name in "ab":
        (manifest.parent / f"{name}.wav").write_bytes(b"")
    made = iterator(manifest)
    assert made.first_batch["id"].tolist() == [2]
    with pytest.raises(AudioFileError, match=r"a\.wav: cannot be read"):
        next(made.next_epoch_itr(shuffle=False))


def position_after_an_epoch(manifest: Path) -> "dict[str, object]":
    finished = iterator(manifest)
    assert len(list(finished.next_epoch_itr(shuffle=False))) == len(SIZES)
    return finished.state_dict()


@pytest.mark.parametrize("position", [position_after_two_batches, position_after_an_epoch])
def test_another_manifest_is_refused_with_the_way_out(manifest: Path, position: Any) -> None:
    saved, before = position(manifest), iterator(manifest).digest
    write_manifest(manifest, manifest.parent, {"a.wav": 30_000, "b.wav": 30_000})
    changed = iterator(manifest)
    both = rf"train\.tsv is not the data.*digest {changed.digest}, expected {before}"
    with pytest.raises(ManifestChangedError, match=rf"{both}.*reset_dataloader=true"):
        changed.load_state_dict(saved)


def test_the_same_manifest_goes_on_at_the_next_epoch(manifest: Path) -> None:
    resumed = iterator(manifest)
    resumed.load_state_dict(position_after_an_epoch(manifest))
    assert (resumed.next_epoch_idx, resumed.iterations_in_epoch) == (2, 0)


def test_folders_that_take_turns_may_differ_between_epochs_only(manifest: Path) -> None:
    within, between = position_after_two_batches(manifest), position_after_an_epoch(manifest)
    write_manifest(manifest, manifest.parent, {"a.wav": 30_000, "b.wav": 30_000})
    resumed = iterator(manifest, take_turns=True)
    with pytest.raises(ManifestChangedError):
        resumed.load_state_dict(within)
    resumed.load_state_dict(between)
    assert (resumed.next_epoch_idx, resumed.iterations_in_epoch) == (2, 0)


def test_the_folder_may_have_moved(manifest: Path, tmp_path: Path) -> None:
    saved = position_after_two_batches(manifest)
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in SIZES:
        (tmp_path / name).rename(moved / name)
    write_manifest(manifest, moved, SIZES)
    iterator(manifest).load_state_dict(saved)


def test_a_position_of_fairseqs_own_is_taken(manifest: Path) -> None:
    saved = position_after_two_batches(manifest)
    del saved["data2vec_manifest"]
    iterator(manifest).load_state_dict(saved)


@pytest.mark.parametrize(("shards", "position"), [(2, 1), (4, 0)])
def test_more_processes_go_on_where_all_were_together(manifest: Path, shards: int, position: int) -> None:
    resumed = iterator(manifest, shards)
    resumed.load_state_dict(position_after_two_batches(manifest))
    assert resumed.iterations_in_epoch == position


@pytest.mark.parametrize("now", [2, 3, 4])
@pytest.mark.parametrize("shards", [1, 2])
def test_other_batches_are_refused_within_an_epoch(manifest: Path, now: int, shards: int) -> None:
    saved = position_after_two_batches(manifest)
    changed = iterator(manifest, shards, clips=now)
    told = rf"train\.tsv: .* after 2 of 4 batches of an epoch, which now has {-(-len(SIZES) // now)}, "
    keys = r".*`dataset\.max_tokens`.*`task\.min_sample_size`.*`checkpoint\.reset_dataloader=true`"
    with pytest.raises(BatchesChangedError, match=told + keys):
        changed.load_state_dict(saved)


def test_smaller_batches_are_refused_too(manifest: Path) -> None:
    made = iterator(manifest, clips=2)
    next(made.next_epoch_itr(shuffle=False))
    with pytest.raises(BatchesChangedError, match="after 1 of 2 batches of an epoch, which now has 4"):
        iterator(manifest).load_state_dict(made.state_dict())


def test_between_epochs_batches_may_change(manifest: Path) -> None:
    resumed = iterator(manifest, clips=2)
    resumed.load_state_dict(position_after_an_epoch(manifest))
    assert (resumed.next_epoch_idx, resumed.iterations_in_epoch) == (2, 0)


def test_a_position_that_does_not_tell_its_batches_is_taken(manifest: Path) -> None:
    saved = position_after_two_batches(manifest)
    del saved["data2vec_batches"]
    resumed = iterator(manifest)
    resumed.load_state_dict(saved)
    assert resumed.iterations_in_epoch == 2


def test_the_first_sample_that_can_be_used_stands_in(manifest: Path) -> None:
    (manifest.parent / "a.wav").write_text("this is no audio")
    made = iterator(manifest, bad_limit=1)
    stand_in = made.first_batch
    assert (stand_in["id"].tolist(), stand_in[STAND_IN]) == ([1], True)
    assert not any(STAND_IN in batch for batch in made.next_epoch_itr(shuffle=False))


def test_nothing_can_stand_in_where_every_sample_is_left_out(manifest: Path) -> None:
    for name in SIZES:
        (manifest.parent / name).write_text("this is no audio")
    with pytest.raises(ValueError, match=r"train\.tsv: none of 4 files can be used, expected at least one"):
        _ = iterator(manifest, bad_limit=4).first_batch
