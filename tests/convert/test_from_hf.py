"""Folders into checkpoints: what is refused, what is made anew, what is never overwritten."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict

import pytest
import torch
from convert.made import convert, recogniser, refused, saved
from features.made import speech_checkpoint
from safetensors.torch import load_file, save_file

from data2vec_plugin.convert.folder import CONFIG, SAFETENSORS, write_json
from data2vec_plugin.files.text.json_files import read_json

Change = Callable[[Dict[str, Any]], object]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    speech_checkpoint(tmp_path / "ours.pt")
    return convert(tmp_path / "ours.pt", tmp_path / "theirs")


def change_config(folder: Path, **keys: Any) -> None:
    write_json(folder / CONFIG, {**read_json(folder / CONFIG), **keys})


def change_weights(folder: Path, change: Change) -> None:
    weights = load_file(folder / SAFETENSORS)
    change(weights)
    save_file(weights, str(folder / SAFETENSORS))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"model_type": "wav2vec2"}, "is of model type `wav2vec2`; expected one of data2vec-audio, data2vec-text"),
        ({"architectures": ["Data2VecAudioForXVector"]}, "is of architecture Data2VecAudioForXVector; expected one of"),
        ({"add_adapter": True}, "`add_adapter` is True"),
        ({"hidden_size": 32}, "does not match its own configuration: it is of another size"),
    ],
)
def test_another_model_is_told_in_a_line(
    folder: Path, keys: Dict[str, Any], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change_config(folder, **keys)
    assert refused(folder, folder.with_name("back.pt")) == 1
    [line] = capsys.readouterr().err.splitlines()[-1:]
    assert line.startswith("data2vec convert: ")
    assert message in line
    assert not folder.with_name("back.pt").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda weights: weights.pop("encoder.layer_norm.bias"), "it lacks `encoder.layer_norm.bias`"),
        (lambda weights: weights.update(adapter=torch.zeros(1)), "there is no conversion rule for `adapter`"),
    ],
)
def test_every_weight_is_accounted_for(
    folder: Path, change: Change, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change_weights(folder, change)
    assert refused(folder, folder.with_name("back.pt")) == 1
    assert message in capsys.readouterr().err


def test_a_prediction_head_is_made_anew_and_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (saved(convert(folder, folder.with_name(f"{number}.pt"))) for number in range(2))
    assert "its prediction head is newly initialised" in capsys.readouterr().out
    assert float(first["final_proj.weight"].std()) > 0.01
    assert torch.equal(first["final_proj.weight"], second["final_proj.weight"])


def test_an_embedding_of_the_mask_may_be_missing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change_weights(folder, lambda weights: weights.pop("masked_spec_embed"))
    assert not saved(convert(folder, folder.with_name("back.pt")))["mask_emb"].any()
    assert "its mask embedding is zeros" in capsys.readouterr().out


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recogniser(tmp_path / "ours.pt")
    folder = convert(tmp_path / "ours.pt", tmp_path / "theirs")
    convert(folder, tmp_path / "back.pt")
    assert refused(folder, tmp_path / "back.pt") == 1
    assert "back.pt already exists; give another name" in capsys.readouterr().err
    convert(folder, tmp_path / "again.pt")  # the same dictionary
    (tmp_path / "dict.ltr.txt").write_text("a 1\n")
    assert refused(folder, tmp_path / "third.pt") == 1
    assert "dict.ltr.txt exists with other content; give another folder" in capsys.readouterr().err
    assert (tmp_path / "dict.ltr.txt").read_text() == "a 1\n"


def test_what_comes_back_is_a_checkpoint_before_its_first_update(folder: Path) -> None:
    from data2vec_plugin.checkpoints.encoder_checkpoint import open_checkpoint

    checkpoint = open_checkpoint(convert(folder, folder.with_name("back.pt")))
    assert (checkpoint.name, checkpoint.num_updates, checkpoint.task["normalize"]) == ("data2vec_audio", 0, True)
