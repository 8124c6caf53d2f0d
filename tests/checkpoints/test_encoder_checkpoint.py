"""What checkpoint gives features, and what the others are told."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any, Dict

import pytest
import torch
from features.made import ctc_checkpoint, speech_checkpoint
from models.tiny_text import trainer_state

from data2vec_plugin.checkpoints import encoder_checkpoint
from data2vec_plugin.checkpoints.encoder_checkpoint import build_encoder, open_checkpoint, untrained


def write(path: Path, cfg: Dict[str, Any]) -> Path:
    torch.save(trainer_state({"task": {"_name": "t"}, **cfg}, {}), path)
    return path


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        (
            {"model": {"_name": "roberta"}},
            r"is of model `roberta` \(RoBERTa\); expected a data2vec encoder, of model data2vec_audio, data2",
        ),
        ({"model": {"_name": "wav2vec_ctc"}}, r"is of model `wav2vec_ctc`, but lacks `model\.w2v_args`"),
        (
            {"model": {"_name": "wav2vec_ctc", "w2v_args": {"model": {"_name": "wav2vec2"}}}},
            r"is of model `wav2vec_ctc` on `wav2vec2` \(speech recognition by CTC\); expected a data2vec encoder",
        ),
        ({"model": {}}, r"is a saved dictionary of `args`, `cfg`, `model` and 4 more, not a checkpoint; use a"),
    ],
)
def test_other_models_are_refused(tmp_path: Path, cfg: Dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_checkpoint(write(tmp_path / "model.pt", cfg))


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        (
            Namespace(model={"_name": "data2vec_audio"}, arch="wav2vec2", task="audio_pretraining"),
            "`wav2vec_ctc` on `wav2vec2`",
        ),
        (
            {"arch": "data2vec_audio", "model": {"_name": "wav2vec2"}, "task": {}},
            r"its `model\.w2v_args` names two models, `data2vec_audio` and `wav2vec2`",
        ),
    ],
    ids=["arguments", "configuration"],
)
def test_a_configuration_with_two_names_is_refused(tmp_path: Path, inside: Any, message: str) -> None:
    """Else one name is looked at, and the other built."""
    with pytest.raises(ValueError, match=message):
        open_checkpoint(write(tmp_path / "model.pt", {"model": {"_name": "wav2vec_ctc", "w2v_args": inside}}))


def test_nothing_but_encoders_of_ours_is_built() -> None:
    with pytest.raises(ValueError, match=r"`model\._name` is 'wav2vec2'; expected one of data2vec_audio"):
        untrained({"model": {"_name": "wav2vec2"}})


def test_a_model_that_this_version_lacks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_checkpoint, "ENCODERS", ("data2vec_smell",))
    with pytest.raises(ValueError, match="`data2vec_smell`, which this version of the package does not have"):
        open_checkpoint(write(tmp_path / "model.pt", {"model": {"_name": "data2vec_smell"}}))


def test_files_that_are_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no\.pt does not exist; use the \.pt file of a training run"):
        open_checkpoint(tmp_path / "no.pt")
    (tmp_path / "cut.pt").write_bytes(b"PK\x03\x04")
    with pytest.raises(ValueError, match=r"cut\.pt cannot be read \(4 bytes"):
        open_checkpoint(tmp_path / "cut.pt")
    torch.save({"model": Path("x")}, tmp_path / "evil.pt")
    with pytest.raises(ValueError, match=r"evil\.pt`: refused, because it holds `pathlib\.(_local\.)?PosixPath`"):
        open_checkpoint(tmp_path / "evil.pt")


@pytest.mark.parametrize(
    ("key", "claimed", "message"),
    [
        ("encoder_ffn_embed_dim", 32, r"it is of another size: `encoder\.layers"),
        ("encoder_layers", 5, "`encoder_layers` is 5, but its weights have 3 layers"),  # before they are built
    ],
    ids=["width", "layers"],
)
def test_weights_of_another_size_are_told(tmp_path: Path, key: str, claimed: int, message: str) -> None:
    path = tmp_path / "model.pt"
    speech_checkpoint(path)
    state = torch.load(path, weights_only=False)
    state["cfg"]["model"][key] = claimed
    torch.save(state, path)
    with pytest.raises(ValueError, match=rf"does not fit its own configuration: {message}"):
        build_encoder(open_checkpoint(path), teacher=False)


def test_checkpoints_from_before_configurations(tmp_path: Path) -> None:
    """`args` instead of `cfg`, as fairseq wrote it before 0.10.2; and such a one inside a fine-tuned model."""
    path = tmp_path / "model.pt"
    model = speech_checkpoint(path)
    state = torch.load(path, weights_only=False)
    section = state["cfg"]["model"]
    args = {key: value for key, value in section.items() if key != "_name"}
    state["args"] = Namespace(arch="data2vec_audio", task="audio_pretraining", data="gone", normalize=True, **args)
    state["cfg"] = None
    torch.save(state, path)
    checkpoint = open_checkpoint(path)
    assert checkpoint.task["normalize"] is True
    encoder = build_encoder(checkpoint, teacher=True)
    assert torch.equal(encoder.encoder.transformer.layers[0].fc1.weight, model.encoder.transformer.layers[0].fc1.weight)  # type: ignore[index, union-attr]


def test_digest_is_of_what_computes(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    speech_checkpoint(path)
    first = open_checkpoint(path)
    state = torch.load(path, weights_only=False)
    state["last_optimizer_state"] = {"much": torch.zeros(3)}
    next(iter(state["model"]["_ema"].values())).add_(1)
    torch.save(state, path)
    second = open_checkpoint(path)
    assert second.digest(teacher=False) == first.digest(teacher=False)
    assert second.digest(teacher=True) != first.digest(teacher=True)
    state["model"]["mask_emb"].add_(1)
    torch.save(state, path)
    assert open_checkpoint(path).digest(teacher=False) != first.digest(teacher=False)


def test_the_fine_tuned_task_decides(tmp_path: Path) -> None:
    ctc_checkpoint(tmp_path / "model.pt")
    checkpoint = open_checkpoint(tmp_path / "model.pt")
    assert (checkpoint.modality, checkpoint.fine_tuned) == ("speech", True)
    assert checkpoint.task["_name"] == "audio_finetuning"
