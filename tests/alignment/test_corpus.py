"""`data2vec align` on files: where texts are found, what is written, what is left out and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import List

import pytest
from convert.made import recogniser
from speech import write_clip, write_manifest

from data2vec_plugin.alignment.pairs import find_pairs
from data2vec_plugin.cli.main import main

TEXTS = {"a": "Ton no", "b": "eat", "sub/c": "note a tea"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed, (name, text) in enumerate(TEXTS.items()):
        write_clip(tmp_path / "clips" / f"{name}.wav", 9000, seed=seed)
        (tmp_path / "clips" / f"{name}.txt").write_text(text)
    recogniser(tmp_path / "model.pt")
    return tmp_path


def align(folder: Path, *options: object) -> int:
    return main(["align", str(folder / "model.pt"), "--device=cpu", *map(str, options)])


def test_a_folder_in_all_formats(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder / "out"
    code = align(
        folder,
        "--audio",
        folder / "clips",
        "--out",
        out,
        "--format=ctm,textgrid,srt,vtt,json",
        "--letters",
        "--worst=2",
    )
    said = capsys.readouterr()
    assert code == 0
    assert "3 of 3 aligned" in said.err
    assert "the 2 worst matches" in said.out
    endings = {"ctm", "letters.ctm", "TextGrid", "srt", "vtt", "json"}
    assert {path.name for path in (out / "sub").iterdir()} == {f"c.{ending}" for ending in endings}
    found = json.loads((out / "sub" / "c.json").read_text("utf-8"))
    assert [word["text"] for word in found["words"]] == ["NOTE", "A", "TEA"]
    assert found["text"] == "note a tea"
    assert [letter["text"] for letter in found["words"][0]["letters"]] == list("NOTE")
    lines = [line.split() for line in (out / "sub" / "c.ctm").read_text().splitlines()]
    assert [line[0] for line in lines] == ["c", "c", "c"]
    assert [line[4] for line in lines] == ["NOTE", "A", "TEA"]
    assert [float(line[2]) for line in lines] == pytest.approx([word["start"] for word in found["words"]], abs=1e-3)
    assert "note a tea" in " ".join((out / "sub" / "c.srt").read_text().split())
    header, *rows = [line.split("\t") for line in (out / "scores.tsv").read_text().splitlines()]
    scores = [float(row[0]) for row in rows]
    assert header[:2] == ["score", "path"]
    assert scores == sorted(scores)
    assert len(rows) == 3
    assert scores[0] == pytest.approx(min(json.loads(p.read_text())["score"] for p in out.rglob("*.json")), abs=1e-3)


def test_one_recording_to_standard_output(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "text.txt").write_text("\ufeffTon\nno\n", "utf-8")
    assert align(folder, "--audio", folder / "clips" / "a.wav", "--text", folder / "text.txt") == 0
    assert [line.split()[4] for line in capsys.readouterr().out.splitlines()] == ["TON", "NO"]


def texts_of(audio: Path, text: Path | None = None) -> List[str | None]:
    return [pair.text for pair in find_pairs(audio, text)]


def test_where_texts_are_found(folder: Path) -> None:
    clips = folder / "clips"
    manifest = write_manifest(folder / "train.tsv", clips, {f"{name}.wav": 9000 for name in TEXTS})
    own = list(TEXTS.values())
    assert texts_of(manifest) == own
    assert texts_of(clips / "b.wav") == ["eat"]
    (folder / "train.ltr").write_text("A |\nT E A |\nN O | O N |\n")
    assert texts_of(manifest, folder / "train.ltr") == ["A", "TEA", "NO ON"]
    (folder / "train.wrd").write_text("A\nTEA\nNO ON\n")
    assert texts_of(manifest, folder / "train.wrd") == ["A", "TEA", "NO ON"]
    table = folder / "clips" / "table.csv"
    table.write_text('path,text\na.wav,"one, two"\nsub/c.wav,three\n')
    assert texts_of(table) == ["one, two", "three"]
    assert texts_of(manifest, table) == ["one, two", None, "three"]


def test_what_is_left_out_is_told_and_listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clips = folder / "clips"
    (clips / "b.txt").write_text("eat quickly")
    (clips / "broken.wav").write_bytes(b"RIFF....")
    (clips / "broken.txt").write_text("a")
    (clips / "sub" / "c.txt").unlink()
    write_clip(clips / "short.wav", 200)
    (clips / "short.txt").write_text("note a tea note a tea")
    out = folder / "out"
    assert align(folder, "--audio", clips, "--out", out) == 1
    said = capsys.readouterr().err
    for told in (
        "lacks 'C', 'I', 'K', 'L', 'Q', 'U', 'Y'",
        "cannot be read",
        "no text: expected",
        "frames of audio, but",
    ):
        assert told in said
    assert "1 of 5 aligned, 4 skipped" in said
    faults = [line.split("\t")[6] for line in (out / "scores.tsv").read_text().splitlines()[1:]]
    assert [bool(fault) for fault in faults] == [True] * 4 + [False]
    assert align(folder, "--audio", clips, "--out", out, "--bad-limit=4") == 0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--audio", "none.wav"], "does not exist"),
        (["--audio", "clips", "--format", "doc", "--out", "out"], "expected ctm, textgrid, srt, vtt, json"),
        (["--audio", "clips", "--format", "srt"], "without `--out FOLDER`"),
        (["--audio", "clips/a.wav", "--out", "model.pt"], "is a file; expected a folder"),
        (["--audio", "clips", "--text", "clips/a.txt"], "for a folder, give a table"),
        (["--audio", "clips/d.wav"], "has no d.txt next to it"),
    ],
    ids=str,
)
def test_what_is_refused(
    options: List[str], told: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    write_clip(folder / "clips" / "d.wav", 900)
    assert align(folder, *options) == 1
    assert told in capsys.readouterr().err


def test_two_recordings_of_one_name_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_clip(folder / "clips" / "a.flac", 9000)
    assert align(folder, "--audio", folder / "clips", "--out", folder / "out") == 1
    assert "rename one of the two" in capsys.readouterr().err
