"""Checkpoints into folders: what is refused, and what the folder says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from convert.made import convert, refused
from features.made import speech_checkpoint


def test_the_card_says_what_the_checkpoint_does_and_no_path(tmp_path: Path) -> None:
    speech_checkpoint(tmp_path / "ours.pt")
    card = (convert(tmp_path / "ours.pt", tmp_path / "theirs", "--teacher") / "README.md").read_text()
    assert "`data2vec convert ours.pt --to hf --out theirs --teacher`" in card
    assert "- data2vec_audio, the teacher, 7,400 weights, 2 updates\n- audio of 16,000 Hz, normalised" in card
    assert 'model = Data2VecAudioModel.from_pretrained("theirs")' in card
    assert str(tmp_path) not in card


def test_all_files_are_for_the_same_readers(tmp_path: Path) -> None:
    speech_checkpoint(tmp_path / "ours.pt")
    folder = convert(tmp_path / "ours.pt", tmp_path / "theirs")
    assert len({path.stat().st_mode for path in folder.iterdir()}) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"pos_conv_depth": 1},
            "`pos_conv_depth` is 1: Data2VecAudioModel supports only stacked position convolutions",
        ),
        ({"extractor_mode": "default"}, "`extractor_mode` is 'default'"),
        ({"layer_norm_first": True}, "`layer_norm_first` is True"),
    ],
)
def test_what_they_cannot_express(
    tmp_path: Path, settings: dict[str, object], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    speech_checkpoint(tmp_path / "ours.pt", **settings)
    assert refused(tmp_path / "ours.pt", tmp_path / "theirs") == 1
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["ours.pt"]


def test_a_missing_weight_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    speech_checkpoint(tmp_path / "ours.pt")
    state = torch.load(tmp_path / "ours.pt", weights_only=False)
    del state["model"]["encoder.layers.1.fc1.bias"]
    torch.save(state, tmp_path / "ours.pt")
    assert refused(tmp_path / "ours.pt", tmp_path / "theirs") == 1
    assert "it lacks `encoder.layers.1.fc1.bias`" in capsys.readouterr().err


def test_a_teacher_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    speech_checkpoint(tmp_path / "ours.pt")
    state = torch.load(tmp_path / "ours.pt", weights_only=False)
    del state["model"]["_ema"]
    torch.save(state, tmp_path / "ours.pt")
    assert refused(tmp_path / "ours.pt", tmp_path / "theirs", "--teacher") == 1
    assert "holds no teacher (`_ema`); leave the option out" in capsys.readouterr().err


def test_a_teacher_of_the_whole_model(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    speech_checkpoint(tmp_path / "ours.pt", ema_transformer_only=False, ema_layers_only=False)
    teacher = torch.load(tmp_path / "ours.pt", weights_only=False)["model"]["_ema"]
    theirs = load_file(convert(tmp_path / "ours.pt", tmp_path / "theirs", "--teacher") / "model.safetensors")
    assert torch.equal(theirs["feature_projection.layer_norm.bias"], teacher["layer_norm.bias"])
    assert torch.equal(theirs["encoder.layer_norm.bias"], teacher["encoder.layer_norm.bias"])
