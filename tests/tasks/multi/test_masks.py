"""Masks of data2vec 2.0 come with the batch: by (seed, epoch, id, copy), as the model's own masker draws them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List

import pytest
import torch
from models.tiny_multi import COPIES, config
from omegaconf import OmegaConf
from speech import write_clip, write_manifest
from tasks.test_masks_of_runs import assert_alike, masks, task_of
from text import lines, write_text, write_words_dictionary
from torch import Tensor

from data2vec_plugin.core.masks.masking import BatchMasker, row_generator
from data2vec_plugin.data.resumable import RULE
from data2vec_plugin.tasks.audio_config import AudioTaskConfig
from data2vec_plugin.tasks.data2vec_audio_pretraining import Data2VecAudioPretrainingTask
from data2vec_plugin.tasks.data2vec_masked_lm import Data2VecMaskedLMTask
from data2vec_plugin.tasks.text_config import MaskedTextConfig

SIZES = {f"{number}.wav": 700 + 60 * number for number in range(6)}


def speech(folder: Path, padded: bool = True, of: Any = None, settings: Any = None, **values: Any) -> Any:
    for seed, (name, size) in enumerate(SIZES.items()):
        write_clip(folder / name, size, seed=seed)
    write_manifest(folder / "train.tsv", folder, SIZES)
    given = {"data": str(folder), "normalize": True, "enable_padding": padded, **values}
    task = task_of(Data2VecAudioPretrainingTask, AudioTaskConfig, given)
    return built(task, config("audio", of={"audio": of or {}}, **(settings or {})))


def text(folder: Path, of: Any = None, settings: Any = None, **values: Any) -> Any:
    write_words_dictionary(folder, lines())
    write_text(folder / "train.txt", lines(12))
    given = {"data": str(folder), "tokens_per_sample": 24, "sample_break_mode": "eos", "encode_workers": 0, **values}
    task = task_of(Data2VecMaskedLMTask, MaskedTextConfig, given)
    return built(task, config("text", of={"text": of or {}}, **(settings or {})))


def pictures(folder: Path, kind: str = "image_pretraining", of: Any = None, settings: Any = None, **values: Any) -> Any:
    pytest.importorskip("torchvision")
    from images import write_tree

    from data2vec_plugin.tasks.image_config import ImagePretrainingConfig
    from data2vec_plugin.tasks.image_pretraining import ImagePretrainingTask
    from data2vec_plugin.tasks.multi.mae_image_pretraining import MaeImagePretrainingTask
    from data2vec_plugin.tasks.multi.pretraining_config import MaeImagePretrainingConfig

    if not (folder / "train").exists():
        write_tree(folder / "train", {"cat": 6})
    ours = (ImagePretrainingTask, ImagePretrainingConfig), (MaeImagePretrainingTask, MaeImagePretrainingConfig)
    key = {} if kind == "image_pretraining" else {"key": "source"}
    task = task_of(*ours[kind != "image_pretraining"], {"data": str(folder), "input_size": 16, **key, **values})
    return built(task, config("image", of={"image": of or {}}, **(settings or {})))


def built(task: Any, cfg: Any) -> Any:
    """A task that has built its model."""
    task.model = task.build_model(cfg)
    return task


MADE = {"speech": speech, "text": text, "pictures": pictures}
MODALITY = pytest.mark.parametrize("made", MADE.values(), ids=list(MADE))


def epoch(task: Any, number: int = 2, **options: Any) -> Any:
    """Its iterator, two samples a batch."""
    task.load_dataset("train")
    limits = {"max_sentences": 2, "required_batch_size_multiple": 1, **options}
    return task.get_batch_iterator(task.dataset("train"), seed=1, epoch=number, **limits)


def tokens_of(task: Any, batch: Dict[str, Any]) -> List[int]:
    """How many each row has, padding left out, as the model counts them."""
    net_input = batch["net_input"]
    (encoder,) = (method.encoder for method in task.model.method.methods.values())
    sizes: List[int] = encoder.embed(net_input["source"], net_input.get("padding_mask")).sizes()
    return sizes


@MODALITY
def test_masks_are_the_models_own_by_seed_epoch_id_and_copy(made: Any, tmp_path: Path) -> None:
    task = made(tmp_path)
    (method,) = task.model.method.methods.values()
    batches = list(epoch(task).next_epoch_itr())
    for batch in batches:
        ids = batch["id"].tolist()
        rngs = [row_generator(1, 2, index, copy) for index in ids for copy in range(COPIES)]
        expected = method.masks.draw(tokens_of(task, batch), rngs)
        assert expected.visible is not None
        assert_alike([batch["net_input"]["mask"]], [expected.as_dict()])


@MODALITY
def test_the_model_takes_what_the_loader_brings_and_draws_nothing(
    made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = made(tmp_path)
    batch = next(iter(epoch(task).next_epoch_itr()))
    for drawing in ("drawn", "with_visible"):
        monkeypatch.setattr(BatchMasker, drawing, lambda *args: pytest.fail("counted in the forward pass"))
    result = task.model(**batch["net_input"])
    assert result["sample_size"] == len(batch["net_input"]["mask"]["positions"]) > 0
    assert torch.equal(result["mask_indices"], batch["net_input"]["mask"]["indices"])
    sum(result["losses"].values()).backward()


def test_rows_of_other_lengths_keep_their_own_share(tmp_path: Path) -> None:  # B33
    task = text(tmp_path)
    batches = list(epoch(task, max_sentences=4).next_epoch_itr())
    lengths = set()
    for batch in batches:
        mask, sizes = batch["net_input"]["mask"], tokens_of(task, batch)
        lengths |= set(sizes)
        each = [size for size in sizes for _ in range(COPIES)]
        # of single positions the reference rounds up what is hidden
        assert mask["indices"].sum(1).tolist() == [size - int(size * 0.5) for size in each]
        seen = [int(size * 0.5) for size in each]
        assert mask["visible"].shape == (len(each), max(seen))
        absent = mask.get("absent", torch.zeros(len(each), max(seen), dtype=torch.bool))
        assert (~absent).sum(1).tolist() == seen
    assert len(lengths) > 1


@MODALITY
def test_an_epoch_and_a_copy_have_masks_of_their_own(made: Any, tmp_path: Path) -> None:
    task = made(tmp_path)
    (first, *_), (later, *_) = (masks(epoch(task, number).next_epoch_itr(shuffle=False)) for number in (1, 2))
    assert not torch.equal(first["indices"], later["indices"])
    assert not torch.equal(first["indices"][0], first["indices"][1])


def test_a_run_that_does_not_tell_its_rule_goes_on_with_copies_that_differ(tmp_path: Path) -> None:
    begun = epoch(text(tmp_path))
    next(begun.next_epoch_itr(shuffle=False))
    saved = begun.state_dict()
    del saved[RULE]
    resumed = epoch(text(tmp_path))
    resumed.load_state_dict(saved)
    for mask in masks(resumed.next_epoch_itr()):
        assert not torch.equal(mask["indices"][0], mask["indices"][1])


def test_with_upstreams_key_masks_of_speech_are_blocks_of_an_exact_share(tmp_path: Path) -> None:
    def rows(settings: Any) -> List[Tensor]:
        """One by one, each of its batch's width."""
        task = speech(tmp_path, padded=False, precompute_mask_config=settings)
        return [row for mask in masks(epoch(task).next_epoch_itr()) for row in mask["indices"]]

    def as_said(rows: List[Tensor], share: float) -> List[bool]:
        return [int(row.sum()) == int(len(row) * share) for row in rows]

    assert all(as_said(rows({}), 0.5))
    assert not all(as_said(rows(None), 0.5))
    assert all(as_said(rows({"mask_prob": 0.3, "expand_adjacent": True}), 0.3))


def test_pictures_may_have_them_too(tmp_path: Path) -> None:
    task = pictures(
        tmp_path, "mae_image_pretraining", precompute_mask_config=OmegaConf.create({"non_overlapping": True})
    )
    for batch in epoch(task).next_epoch_itr():
        assert batch["net_input"]["source"].shape[1:] == (3, 16, 16)
        assert set(batch["net_input"]["mask"]["indices"].sum(1).tolist()) == {12}


CANNOT = [
    (speech, {"of": {"mask_prob": 0.0}}, r"`model\.modalities\.audio\.mask_prob` is 0\.0, .* hides 0 %"),
    (text, {"of": {"mask_prob": 1.0}}, r"`model\.modalities\.text\.mask_prob` is 1\.0; expected a share from"),
    (pictures, {"of": {"mask_prob": 0.001}}, r"`model\.modalities\.image\.mask_prob` is 0\.001; expected a share"),
    (pictures, {"of": {"patch_size": 16}}, r"1 x 1 patches, of which none is visible once one is masked"),
    (text, {"settings": {"average_top_k_layers": 3}}, r"`average_top_k_layers` is 3, but the encoder has 2 layers"),
    (speech, {"settings": {"clone_batch": 0}}, r"`clone_batch` is 0; expected at least 1"),
    (speech, {"precompute_mask_config": {"mask_prop": 1}}, r"`task\.precompute_mask_config\.mask_prop` is not a key"),
    (speech, {"precompute_mask_config": {"mask_prob": 1.5}}, r"`task\.precompute_mask_config\.mask_prob` is 1\.5"),
    (
        speech,
        {"precompute_mask_config": {"clone_batch": 3}},
        r"`task\.precompute_mask_config\.clone_batch` is 3, but the",
    ),
    (pictures, {"of": {"input_size": 32}}, r"`task\.input_size` is 16, `model\.modalities\.image\.input_size` 32"),
    (text, {"settings": {"supported_modality": "IMAGE"}}, r"this task is for TEXT, .* is IMAGE"),
]


@pytest.mark.parametrize(("made", "given", "message"), CANNOT)
def test_what_cannot_train_is_told_when_the_model_is_built(
    made: Any, given: Dict[str, Any], message: str, tmp_path: Path
) -> None:
    if "supported_modality" in str(given):
        given = {"settings": {**given["settings"], "modalities": config("image").modalities}}
    with pytest.raises(ValueError, match=message):
        made(tmp_path, **given)


def test_text_for_such_a_model_comes_whole(tmp_path: Path) -> None:
    task = text(tmp_path, d2v2_multi=True, skip_masking=True)
    batch = next(iter(epoch(task).next_epoch_itr(shuffle=False)))
    assert set(batch["net_input"]) <= {"source", "id", "padding_mask", "mask"}
    data = task.dataset("train")
    for row, index in enumerate(batch["id"].tolist()):
        whole = data.blocks[index]
        assert torch.equal(batch["net_input"]["source"][row, : len(whole)], whole)
    unmasked = task_of(Data2VecMaskedLMTask, MaskedTextConfig, {**dict(task.cfg), "d2v2_multi": True})
    unmasked.load_dataset("train")
    assert "mask" not in unmasked.dataset("train").collater([unmasked.dataset("train")[0]])["net_input"]
