"""Masks of fine-tuning are drawn where clips are loaded, and are those that the encoder sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List

import pytest
import torch
from fairseq.criterions.ctc import CtcCriterion, CtcCriterionConfig
from fairseq.models.wav2vec.wav2vec2_asr import Wav2Vec2CtcConfig
from features.made import speech_checkpoint
from omegaconf import OmegaConf
from speech import write_clip, write_manifest

from data2vec_plugin.core.masks.mask import Mask
from data2vec_plugin.data.resumable import RULE
from data2vec_plugin.data.sample_seeds import BY_MODEL, OWN
from data2vec_plugin.tasks.audio_config import AsrTaskConfig
from data2vec_plugin.tasks.data2vec_asr import Data2VecAsrTask

SIZES = {"a.wav": 900, "b.wav": 1400, "c.wav": 1100, "d.wav": 300}
MASKS = {"apply_mask": True, "mask_prob": 0.4, "mask_length": 4, "mask_channel_prob": 0.3, "mask_channel_length": 2}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for seed, (name, size) in enumerate(SIZES.items()):
        write_clip(tmp_path / name, size, seed=seed)
    for split in ("train", "valid"):
        write_manifest(tmp_path / f"{split}.tsv", tmp_path, SIZES)
        (tmp_path / f"{split}.ltr").write_text("A B |\nB |\nC |\nA |\n")
    (tmp_path / "dict.ltr.txt").write_text("| 3\nA 1\nB 2\nC 1\n")
    speech_checkpoint(tmp_path / "start.pt", ema_anneal_end_step=10, max_update=10)
    return tmp_path


def made(data: Path, **settings: Any) -> Any:
    """(Task, model in training) as fairseq sets them up."""
    root = OmegaConf.create({"common": {"tpu": False, "seed": 1}, "dataset": {"train_subset": "train"}})
    values = {"data": str(data), "normalize": True}
    root.task = OmegaConf.merge(OmegaConf.structured(AsrTaskConfig), values)
    task = Data2VecAsrTask.setup_task(root.task)
    keys = {"_name": "wav2vec_ctc", "w2v_path": str(data / "start.pt"), "ddp_backend": "legacy_ddp", **values}
    cfg = OmegaConf.merge(OmegaConf.structured(Wav2Vec2CtcConfig), {**keys, **MASKS, **settings})
    model = task.build_model(cfg)
    task.load_dataset("train")
    return task, model.train()


def batch(task: Any, split: str = "train") -> Dict[str, Any]:
    dataset = task.dataset(split)
    collated: Dict[str, Any] = dataset.collater([dataset[index] for index in range(len(dataset))])
    return collated


def seen_by(model: Any, monkeypatch: pytest.MonkeyPatch) -> List[Mask]:
    """The masks that the encoder is about to apply."""
    view, seen = model.w2v_encoder.w2v_model.encoder.view, []
    stock = view.forward
    monkeypatch.setattr(view, "forward", lambda tokens, mask: seen.append(mask) or stock(tokens, mask))
    return seen


def test_the_encoder_sees_the_loaders_masks_and_draws_none(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task, model = made(data)
    seen = seen_by(model, monkeypatch)
    encoder = model.w2v_encoder.w2v_model
    monkeypatch.setattr(encoder.method.masks, "drawn", lambda tokens: pytest.fail("drawn in the forward pass"))
    sample = batch(task)
    loss, _, _ = CtcCriterion(CtcCriterionConfig(zero_infinity=True), task)(model, sample)
    loss.backward()
    ((mask,), given) = seen, sample["net_input"]["mask"]
    assert torch.equal(mask.indices, given["indices"])
    assert torch.equal(mask.channels, given["channels"])
    assert given["indices"].any(dim=1).all()
    assert given["channels"].any()
    features = encoder.extract_features(sample["net_input"]["source"], sample["net_input"]["padding_mask"])
    assert features["x"].shape[:2] == given["indices"].shape
    assert not given["indices"][features["padding_mask"]].any()


def test_they_follow_seed_epoch_and_id_only(data: Path) -> None:
    task, _ = made(data, require_same_masks=False)
    dataset = task.dataset("train")
    whole = batch(task)["net_input"]["mask"]["indices"]
    alone = dataset.collater([dataset[1]])["net_input"]["mask"]["indices"]
    assert torch.equal(whole[1, : alone.size(1)], alone[0])
    dataset.set_epoch(2)
    later = batch(task)["net_input"]["mask"]
    assert not torch.equal(later["indices"], whole)


def test_only_training_is_masked(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task, model = made(data)
    task.load_dataset("valid")
    assert "mask" not in batch(task, "valid")["net_input"]
    seen = seen_by(model, monkeypatch)
    model.eval()(**batch(task)["net_input"])
    assert seen == [None]
    plain, _ = made(data, apply_mask=False)
    assert "mask" not in batch(plain)["net_input"]


def test_channels_alone_may_be_masked(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task, model = made(data, mask_prob=0.0)
    seen = seen_by(model, monkeypatch)
    model(**batch(task)["net_input"])
    assert seen[0].count == 0
    assert seen[0].channels is not None
    assert seen[0].channels.any()


def test_a_run_of_before_goes_on_with_masks_that_the_model_draws(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task, _ = made(data)
    begun = task.get_batch_iterator(task.dataset("train"), max_sentences=2)
    next(begun.next_epoch_itr(shuffle=False))
    saved = begun.state_dict()
    assert saved[RULE] == OWN
    del saved[RULE]
    task, model = made(data)
    resumed = task.get_batch_iterator(task.dataset("train"), max_sentences=2)
    resumed.load_state_dict(saved)
    sample = next(resumed.next_epoch_itr(shuffle=False))
    assert resumed.state_dict()[RULE] == BY_MODEL
    assert "mask" not in sample["net_input"]
    seen = seen_by(model, monkeypatch)
    torch.manual_seed(3)
    model(**sample["net_input"])
    torch.manual_seed(3)
    model(**sample["net_input"])
    assert torch.equal(seen[0].indices, seen[1].indices)
    assert seen[0].count > 0


def test_a_mask_does_not_outlive_its_batch(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under a task of others, whose batches bring none, the encoder draws its own."""
    task, model = made(data)
    seen = seen_by(model, monkeypatch)
    inputs = batch(task)["net_input"]
    model(**inputs)
    model(source=inputs["source"], padding_mask=inputs["padding_mask"])
    assert seen[1].indices.shape == seen[0].indices.shape
    assert not torch.equal(seen[1].indices, seen[0].indices)
