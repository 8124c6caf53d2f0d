"""Files of features: formats, pooled matrices, and runs that break anywhere and go on."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import pytest
from features.made import TEXTS, assert_close, features, index, read, text_checkpoint
from models.tiny_text import DIM
from text import write_text

from data2vec_plugin.features import extract, store
from data2vec_plugin.files.locks import FolderLock

FORMATS = [
    (),
    ("--pool", "mean"),
    ("--format", "safetensors"),
    ("--format", "safetensors", "--pool", "mean"),
    ("--layer", "0,last"),
    ("--layer", "0,last", "--pool", "mean"),
]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    text_checkpoint(tmp_path / "model.pt")
    return tmp_path / "model.pt"


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    return write_text(tmp_path / "lines.txt", TEXTS)


def run(model: Path, lines: Path, out: Path, *options: str) -> int:
    """A batch for every line, longest first."""
    return features(model, lines, out, "--symbols", "--batch", "1", *options)


def count_encoded(
    monkeypatch: pytest.MonkeyPatch, stop: int = 1000, error: type[BaseException] = KeyboardInterrupt
) -> List[int]:
    """Rows that were encoded from now on, a number a batch; before batch ``stop`` comes ``error``."""
    done: List[int] = []
    stock = extract.encode

    def encode(model: Any, source: Any, *rest: Any) -> Any:
        if len(done) == stop:
            raise error
        done.append(len(source))
        return stock(model, source, *rest)

    monkeypatch.setattr(extract, "encode", encode)
    return done


@pytest.mark.parametrize("options", FORMATS, ids=" ".join)
def test_formats_hold_the_same(model: Path, lines: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    pytest.importorskip("safetensors")
    assert run(model, lines, tmp_path / "plain") == 0
    assert run(model, lines, tmp_path / "out", *options) == 0
    assert [row["id"] for row in index(tmp_path / "out")] == [f"{n:08d}" for n in range(1, len(TEXTS) + 1)]
    wanted, found = read(tmp_path / "plain"), read(tmp_path / "out")
    if "--layer" in options:
        assert {array.shape[0] for array in found.values()} == {2}
        found = {name: array[1] for name, array in found.items()}
    if "mean" in options:
        wanted = {name: array.mean(0) for name, array in wanted.items()}
    assert_close(found, wanted)
    kept = {path.name for path in (tmp_path / "out").iterdir()} - {"index.tsv", "features.json"}
    if "safetensors" in options:
        assert kept == {"part-00000.safetensors"}
    elif "mean" in options:
        assert kept == {"features.npy"}
        matrix = np.load(tmp_path / "out" / "features.npy")
        assert matrix.shape == ((len(TEXTS), 2, DIM) if "--layer" in options else (len(TEXTS), DIM))
        assert [row["key"] for row in index(tmp_path / "out")] == list("01234")


def test_halves(model: Path, lines: Path, tmp_path: Path) -> None:
    assert run(model, lines, tmp_path / "whole") == 0
    assert run(model, lines, tmp_path / "half", "--half") == 0
    half = read(tmp_path / "half")
    assert {array.dtype for array in half.values()} == {np.dtype("float16")}
    for name, array in read(tmp_path / "whole").items():
        np.testing.assert_allclose(half[name], array, atol=3e-3)


def test_a_second_command_does_not_mix_its_rows_in(
    model: Path, lines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with FolderLock(tmp_path / "out"):
        assert run(model, lines, tmp_path / "out", *FORMATS[0]) != 0
    assert "out is being written (process" in capsys.readouterr().err
    assert run(model, lines, tmp_path / "out", *FORMATS[0]) == 0


@pytest.mark.parametrize("options", FORMATS[:4], ids=" ".join)
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_a_broken_run_goes_on(
    model: Path,
    lines: Path,
    tmp_path: Path,
    options: tuple[str, ...],
    error: type[BaseException],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(model, lines, tmp_path / "unbroken", *options) == 0
    with monkeypatch.context() as patched:
        count_encoded(patched, 3, error)
        assert run(model, lines, tmp_path / "out", *options) == (130 if error is KeyboardInterrupt else 1)
    told = capsys.readouterr()
    assert "3 of 5 items (0 already there, 0 skipped)" in told.out
    assert "2 items are left to do; run the same command again to continue" in told.err
    assert len(read(tmp_path / "out")) == 3
    done = count_encoded(monkeypatch)
    assert run(model, lines, tmp_path / "out", *options) == 0
    assert len(done) == 2
    assert_close(read(tmp_path / "out"), read(tmp_path / "unbroken"))
    assert [row["id"] for row in index(tmp_path / "out")] == [row["id"] for row in index(tmp_path / "unbroken")]
    assert run(model, lines, tmp_path / "out", *options) == 0
    assert len(done) == 2


def test_a_terminated_run_keeps_its_parts(
    model: Path, lines: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster's SIGTERM ends the run as Ctrl-C does: what waits in memory is written."""
    done = count_encoded(monkeypatch)
    put = store.Shards.put

    def put_and_die(self: Any, *args: Any) -> None:
        put(self, *args)
        if len(done) == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(store.Shards, "put", put_and_die)
    assert run(model, lines, tmp_path / "out", "--pool", "mean") == 130
    assert len(read(tmp_path / "out")) == 2
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.parametrize("options", FORMATS[:3], ids=" ".join)
def test_a_longer_list_and_a_changed_line(
    model: Path, lines: Path, tmp_path: Path, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(model, lines, tmp_path / "out", *options) == 0
    changed = [TEXTS[0], "w9 w9", *TEXTS[2:], "w13 w14", "w15"]
    write_text(lines, changed)
    done = count_encoded(monkeypatch)
    assert run(model, lines, tmp_path / "out", *options) == 0
    assert len(done) == 3
    monkeypatch.undo()
    assert run(model, lines, tmp_path / "fresh", *options) == 0
    assert_close(read(tmp_path / "out"), read(tmp_path / "fresh"))


@pytest.mark.parametrize("options", FORMATS[:3], ids=" ".join)
def test_lost_files_are_made_again(model: Path, lines: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    out = tmp_path / "out"
    assert run(model, lines, out, *options) == 0
    before = read(out)
    (out / index(out)[2]["file"]).unlink()
    assert run(model, lines, out, *options) == 0
    assert_close(read(out), before)


def test_a_crash_while_the_index_is_written(model: Path, lines: Path, tmp_path: Path) -> None:
    assert run(model, lines, tmp_path / "out") == 0
    path, before = tmp_path / "out" / "index.tsv", read(tmp_path / "out")
    path.write_text(path.read_text()[:-9])
    assert len(index(tmp_path / "out")) == 5
    assert run(model, lines, tmp_path / "out") == 0
    assert_close(read(tmp_path / "out"), before)
    path.write_text("\n".join(path.read_text().splitlines()[:3]) + "\nfoo\n")
    assert run(model, lines, tmp_path / "out") == 1


def test_a_crash_between_matrix_and_index(
    model: Path, lines: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old index is right about the new matrix: its rows have stayed in place."""
    out = tmp_path / "out"
    assert run(model, lines, out, "--pool", "mean") == 0
    before = read(out)
    write_text(lines, ["w13 w14", *TEXTS[1:], "w15"])

    def crash(*_: Any) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(store.Index, "sort", crash)
        assert run(model, lines, out, "--pool", "mean") == 1
    after: Dict[str, Any] = read(out)
    assert len(np.load(out / "features.npy")) == 7
    assert all(np.array_equal(after[name], before[name]) for name in list(before)[1:])
    assert run(model, lines, out, "--pool", "mean") == 0
    assert run(model, lines, tmp_path / "fresh", "--pool", "mean") == 0
    assert_close(read(out), read(tmp_path / "fresh"))
    (out / "part-00000.npy").touch()
    assert run(model, lines, out, "--pool", "mean") == 0
    assert {path.name for path in out.iterdir()} == {"index.tsv", "features.json", "features.npy"}


def test_parts_are_closed_when_they_are_large(
    model: Path, lines: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("safetensors")
    monkeypatch.setattr(store, "PART_BYTES", 500)
    assert run(model, lines, tmp_path / "out", "--format", "safetensors") == 0
    files = sorted({row["file"] for row in index(tmp_path / "out")})
    assert files == ["part-00000.safetensors", "part-00001.safetensors", "part-00002.safetensors"]
    assert len(read(tmp_path / "out")) == 5


def test_features_of_another_kind_are_not_mixed_in(
    model: Path, lines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(model, lines, out, "--layer", "1") == 0
    for options, message in (
        (("--layer", "2"), "`layer` was '1', is '2'"),
        (("--layer", "1", "--pool", "mean"), "`pool` was 'none', is 'mean'"),
        (("--layer", "1", "--teacher"), "`teacher` was False, is True"),
        (("--layer", "1", "--half"), "`half` was False, is True"),
    ):
        assert run(model, lines, out, *options) == 1
        told = capsys.readouterr().err
        assert f"{out} holds features that were made with other settings" in told
        assert message in told
        assert f"Give another `--out`, or delete {out}" in told
    text_checkpoint(model, head_layers=2)
    assert run(model, lines, out, "--layer", "1") == 1
    assert "`weights` was " in capsys.readouterr().err


def test_a_checkpoint_may_move(model: Path, lines: Path, tmp_path: Path) -> None:
    assert run(model, lines, tmp_path / "out") == 0
    moved = model.rename(tmp_path / "averaged.pt")
    assert run(moved, lines, tmp_path / "out") == 0


def test_damaged_settings_are_told(
    model: Path, lines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(model, lines, out) == 0
    assert json.loads((out / "features.json").read_text())["layer"] == "last"
    (out / "features.json").write_text("{")
    assert run(model, lines, out) == 1
    assert "features.json is damaged" in capsys.readouterr().err
    (out / "features.json").unlink()
    assert run(model, lines, out) == 1
    assert "holds index.tsv, but not features.json; give another `--out`" in capsys.readouterr().err
