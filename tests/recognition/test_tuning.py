"""`data2vec lm tune`: emissions once, a surface, an overlay that decoding takes."""

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from recognition.recognisers import clips, first_method
from speech import write_manifest

pytest.importorskip("flashlight.lib.text.decoder")

from data2vec_plugin.cli.main import main
from data2vec_plugin.decoding.options import BeamOptions, beam_options
from data2vec_plugin.recognition.recogniser import open_recogniser
from data2vec_plugin.recognition.stored_emissions import compute, emissions_of_split

WORDS = ["AB|A|", "B|BA|", "AB|", "A|A|", "BA|AB|"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    first_method(tmp_path / "model.pt")
    symbols = [symbol for symbol in open_recogniser(tmp_path / "model.pt").symbols if symbol.isalpha()]
    sizes = {}
    for place, clip in enumerate(clips((900, 2500, 800, 1700, 900))):
        soundfile.write(tmp_path / f"{place}.wav", clip, 16_000)
        sizes[f"{place}.wav"] = len(clip)
    write_manifest(tmp_path / "valid.tsv", tmp_path, sizes)
    spelled = [" ".join({"A": symbols[0], "B": symbols[1]}.get(letter, letter) for letter in word) for word in WORDS]
    (tmp_path / "valid.ltr").write_text("".join(f"{line}\n" for line in spelled))
    (tmp_path / "dict.txt").write_text("".join(f"{symbol} 1\n" for symbol in [*symbols, "|"]))
    assert main(["lm", "lexicon", "valid.ltr", "--dict", "dict.txt"]) == 0
    assert main(["lm", "build", "valid.ltr", "--order", "2", "--no-lmplz"]) == 0
    return tmp_path


SMALL = ("--lm-weights", "0", "1", "--word-scores", "0", "2", "--sil-weights", "1", "--beams", "5", "--processes", "1")
COMMAND = ("lm", "tune", "model.pt", "valid.tsv", "--lm-model", "lm.arpa", "--beam", "10", "--device", "cpu", *SMALL)


def test_it_writes_what_decoding_takes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*COMMAND, "--lexicon", "lexicon.txt"]) == 0
    said = capsys.readouterr().out
    rate, greedy = map(float, re.findall(r"^WER ([\d.]+) % .* greedy ([\d.]+) %", said, re.M)[0])
    assert min(rate, greedy) > 0  # a model of random weights
    assert (folder / "tuned" / "surface.png").read_bytes().startswith(b"\x89PNG")
    options = beam_options({"decoding": Path("tuned/tuned.yaml")})
    assert isinstance(options, BeamOptions)
    assert options.lexicon == folder / "lexicon.txt"
    line = re.findall(r"is the same as (.*)", said)[0]
    assert f"--beam {options.beam} " in line
    assert f"--lm-model {folder / 'lm.arpa'}" in line
    with np.load(folder / "tuned" / "emissions.npz") as stored:
        assert len(stored["frames"]) == 5
        assert stored["emissions"].shape[0] == stored["frames"].sum()
    rows = emissions_of_split(open_recogniser(folder / "model.pt"), Path("valid.tsv"), Path("tuned"))
    assert "emissions of 5 clips, computed before" in capsys.readouterr().out
    computed = compute(open_recogniser(folder / "model.pt"), Path("valid.tsv"))
    for row, other in zip(rows, computed):
        torch.testing.assert_close(row, other, atol=1e-4, rtol=1e-4)


def test_without_a_lexicon_it_tunes_a_model_of_letters(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lm", "build", "valid.ltr", "--units", "char", "--no-lmplz"]) == 0
    assert main([*COMMAND]) == 0
    assert "--word-score" not in capsys.readouterr().out


def test_labels_of_other_letters_are_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "valid.ltr").write_text("? |\n" * 5)
    assert main([*COMMAND, "--lexicon", "lexicon.txt"]) == 1
    assert "valid.ltr, line 1: symbol '?' is not in the dictionary of model.pt" in capsys.readouterr().err
