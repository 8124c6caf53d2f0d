"""`data2vec features`: its options, and what it says to those that do not fit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Sequence

import pytest

from data2vec_plugin.cli.main import main

pytest.importorskip("fairseq")

from features.made import clips, features, speech_checkpoint


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("given")
    speech_checkpoint(folder / "model.pt")
    return folder / "model.pt", clips(folder / "data", "flac")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--layer", "3"], "`--layer` is '3'; expected comma-separated numbers from 0 to 2, or 'last'"),
        (["--layer", "-1"], "`--layer` is '-1'; expected"),
        (["--layer", "1,,2"], "`--layer` is '1,,2'; expected"),
        (["--batch", "0"], "`--batch` is 0; expected more than 0 seconds"),
        (["--dict", "dict.txt"], "--too-long are for text; "),
        (["--too-long", "truncate"], "--too-long are for text; "),
        (["--column", "a"], "`--column` requires a .tsv of texts"),
        (["--device", "gpu"], "`--device` is gpu; expected cpu, cuda or cuda:N"),
        (["--workers", "0"], "`--workers` is 0; expected 1 or more"),
    ],
)
def test_options_that_do_not_fit_are_told_before_anything_is_written(
    given: tuple[Path, Path], tmp_path: Path, options: Sequence[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert features(*given, tmp_path / "out", *options) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_gpu_that_is_not_there_is_told(
    given: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert features(*given, tmp_path / "out", "--device", "cuda") == 1
    assert (
        "`--device` is cuda, but torch finds no GPU (run `data2vec doctor` to see why); use cpu"
        in capsys.readouterr().err
    )


def test_out_of_memory_names_the_knob(
    given: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    def full(*_: object) -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("data2vec_plugin.features.extract.encode", full)
    assert features(*given, tmp_path / "out") == 1
    told = capsys.readouterr().err
    assert "out of memory on cpu with 6 items of up to 0.125 seconds, the longest being" in told
    assert "c5.flac; lower `--batch`" in told


def test_help_waits_for_nothing() -> None:
    code = "import sys; from data2vec_plugin.cli.main import build_parser; build_parser('features')"
    words = [sys.executable, "-c", f"{code}; print('torch' in sys.modules)"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


def test_checkpoint_input_and_out_are_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["features", "model.pt"])
    assert "--input, --out" in capsys.readouterr().err
