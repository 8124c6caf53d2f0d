"""`data2vec convert`: what it says, and options that do not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from data2vec_plugin.cli.main import main

pytest.importorskip("fairseq")

from features.made import speech_checkpoint


def test_both_directions_say_what_was_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    speech_checkpoint(tmp_path / "ours.pt")
    theirs, back = tmp_path / "theirs", tmp_path / "back.pt"
    assert main(["convert", str(tmp_path / "ours.pt"), "--to=hf", f"--out={theirs}"]) == 0
    assert f"wrote {theirs}; in Python: transformers.Data2VecAudioModel.from_pretrained(" in capsys.readouterr().out
    assert main(["convert", str(theirs), "--to=fairseq", f"--out={back}"]) == 0
    assert capsys.readouterr().out.endswith(f"wrote {back}: a checkpoint of `data2vec_audio`\n")


def test_options_that_do_not_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    speech_checkpoint(tmp_path / "ours.pt")
    out = ["--out", str(tmp_path / "out")]
    for options, message in [
        ([str(tmp_path), "--to=fairseq", "--teacher"], "`--teacher`: a Hugging Face folder has no teacher"),
        ([str(tmp_path), "--to=hf"], f"{tmp_path} is a folder; `--to hf` reads a checkpoint"),
        ([str(tmp_path / "no.pt"), "--to=hf"], "no.pt does not exist"),
        ([str(tmp_path / "ours.pt"), "--to=fairseq"], "ours.pt is of model `data2vec_audio`"),
        ([str(tmp_path / "ours.pt"), "--to=hf", "--labels=x"], "`--labels`: not used by a model of speech"),
    ]:
        assert main(["convert", *options, *out]) == 1
        assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_missing_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("data2vec_plugin.convert.folder.find_spec", lambda name: None)
    assert main(["convert", str(tmp_path), "--to=hf", "--out=out"]) == 1
    assert "pip install safetensors" in capsys.readouterr().err
