"""Folders of Hugging Face's that are none: told in one line that names the file, before anything large is built."""

from __future__ import annotations

import json
import resource
import time
from pathlib import Path
from typing import Any, Callable, Dict

import pytest
import torch
from convert.made import convert, refused
from features.made import speech_checkpoint

from data2vec_plugin.convert.folder import CONFIG, SAFETENSORS, read_json, write_json

INDEX = f"{SAFETENSORS}.index.json"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each test writes what it changes, and takes it away."""
    place = tmp_path_factory.mktemp("hostile")
    speech_checkpoint(place / "ours.pt")
    return convert(place / "ours.pt", place / "theirs")


def told(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line by which a conversion ends, within seconds and some memory."""
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    capsys.readouterr()
    assert refused(folder, folder.with_name("back.pt")) == 1
    assert not folder.with_name("back.pt").exists()
    assert time.monotonic() - started < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 512 * 1024
    said = capsys.readouterr().err
    assert "Traceback" not in said
    [line] = said.splitlines()[-1:]
    assert str(folder) in line
    return line


@pytest.mark.parametrize("claimed", [5, 10**6])
def test_layers_are_counted_before_they_are_built(
    folder: Path, claimed: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_config(folder, monkeypatch, num_hidden_layers=claimed)
    assert f"`encoder_layers` is {claimed:,}, but its weights have 3 layers" in told(folder, capsys)


def with_config(folder: Path, monkeypatch: pytest.MonkeyPatch, **keys: Any) -> None:
    """Read the folder as if its config.json had these keys."""
    stock = read_json(folder / CONFIG)
    monkeypatch.setattr("data2vec_plugin.convert.folder.CONFIG", "other.json")
    write_json(folder / "other.json", {**stock, **keys})


@pytest.mark.parametrize(
    "keys",
    [
        {"num_hidden_layers": "2"},
        {"num_hidden_layers": 2.5},
        {"num_hidden_layers": True},
        {"num_hidden_layers": None},
        {"num_hidden_layers": -1},
        {"hidden_size": 10**30},
        {"hidden_size": [16]},
        {"hidden_size": 0},
        {"num_attention_heads": 0},
        {"layer_norm_eps": "1e-5"},
        {"hidden_dropout": {}},
        {"conv_dim": "512"},
        {"conv_dim": [512, "512"]},
        {"conv_dim": []},
        {"conv_dim": [[1]]},
        {"conv_kernel": [10**9] * 7},
        {"conv_bias": "yes"},
        {"architectures": 5},
        {"architectures": [["x"]]},
        {"model_type": ["data2vec-audio"]},
        {"model_type": {}},
    ],
    ids=str,
)
def test_odd_values_are_told(
    folder: Path, keys: Dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_config(folder, monkeypatch, **keys)
    told(folder, capsys)


DEEP = "[" * 100_000
HOSTILE: Dict[str, Callable[[bytes], Dict[str, bytes]]] = {
    "a pointer": lambda good: {SAFETENSORS: POINTER},
    "nothing": lambda good: {SAFETENSORS: b""},
    "a web page": lambda good: {SAFETENSORS: b"<!DOCTYPE html>"},
    "half a file": lambda good: {SAFETENSORS: good[: len(good) // 2]},
    "a header of nothing": lambda good: {SAFETENSORS: bytes(8)},
    "a header beyond the file": lambda good: {SAFETENSORS: b"\xff" * 8 + good[8:]},
    "a header too deep": lambda good: {SAFETENSORS: len(DEEP).to_bytes(8, "little") + DEEP.encode()},
    "another type": lambda good: {SAFETENSORS: good.replace(b'"F32"', b'"Q32"')},
    "other offsets": lambda good: {SAFETENSORS: good.replace(b'"data_offsets":[0,', b'"data_offsets":[9,')},
    "text for pickles": lambda good: {"pytorch_model.bin": b"hello, these are no weights\n" * 50},
    "a pointer for pickles": lambda good: {"pytorch_model.bin": POINTER},
    "a pickle of a list": lambda good: {"pytorch_model.bin": b"\x80\x02]."},
    "an index of nothing": lambda good: {INDEX: b"{}"},
    "an index of text": lambda good: {INDEX: b'{"weight_map": "x"}'},
    "an index of numbers": lambda good: {INDEX: b'{"weight_map": {"a": 5}}'},
    "an index of lists": lambda good: {INDEX: b'{"weight_map": {"a": ["x"]}}'},
    "an index elsewhere": lambda good: {INDEX: b'{"weight_map": {"a": "../../x.safetensors"}}'},
    "an index of what is not there": lambda good: {INDEX: b'{"weight_map": {"a": "x.safetensors"}}'},
    "an index too deep": lambda good: {INDEX: DEEP.encode()},
    "an index of one number": lambda good: {INDEX: b"9" * 10_000},
    "an index too long": lambda good: {INDEX: b'{"weight_map": {}}' + b" " * 50_000_000},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_odd_files_are_told(folder: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    good = (folder / SAFETENSORS).read_bytes()
    (folder / SAFETENSORS).unlink()
    files = HOSTILE[name](good)
    try:
        for file, content in files.items():
            (folder / file).write_bytes(content)
        assert any(file in told(folder, capsys) for file in [*files, "neither"])
    finally:
        for file in files:
            (folder / file).unlink()
        (folder / SAFETENSORS).write_bytes(good)


def test_pickled_weights_that_are_more_than_their_storage(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = (folder / SAFETENSORS).read_bytes()
    (folder / SAFETENSORS).unlink()
    try:
        torch.save({"a": torch.zeros(1).expand(10**6, 10**6)}, folder / "pytorch_model.bin")
        assert "`a` of shape (1000000, 1000000) needs 4,000,000,000,000 bytes but has 4" in told(folder, capsys)
    finally:
        (folder / "pytorch_model.bin").unlink()
        (folder / SAFETENSORS).write_bytes(good)


def test_an_index_still_names_parts(tmp_path: Path) -> None:
    from data2vec_plugin.convert.folder import parts_of

    (tmp_path / "b.safetensors").touch()
    (tmp_path / INDEX).write_text(json.dumps({"weight_map": {"x": "b.safetensors", "y": "b.safetensors"}}))
    assert parts_of(tmp_path / INDEX) == ["b.safetensors"]
