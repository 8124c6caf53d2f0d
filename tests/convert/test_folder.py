"""Folders of weights: of any layout, whole or refused, and never in the place of somebody else's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from data2vec_plugin.convert.folder import CONFIG, MADE_BY, new_folder, read_config, read_weights, write_json

WEIGHTS = {"a": torch.arange(3.0), "b": torch.ones(2, 2), "c": torch.zeros(1)}


class Malicious:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


NAMES = {"safetensors": "model.safetensors", "bin": "pytorch_model.bin"}


def write(folder: Path, layout: str) -> None:
    """In one file, or in two and an index."""
    ending, _, sharded = layout.partition(" ")
    parts = [f"part-{number}.{ending}" for number in range(2)] if sharded else [NAMES[ending]]
    of = {name: parts[number % len(parts)] for number, name in enumerate(WEIGHTS)}
    for part in parts:
        some = {name: value for name, value in WEIGHTS.items() if of[name] == part}
        if ending == "bin":
            torch.save(some, folder / part)
        else:
            save_file(some, str(folder / part))
    if sharded:
        write_json(folder / f"{NAMES[ending]}.index.json", {"weight_map": of})


@pytest.mark.parametrize("layout", ["safetensors", "safetensors sharded", "bin", "bin sharded"])
def test_weights_are_read(tmp_path: Path, layout: str) -> None:
    write(tmp_path, layout)
    found = read_weights(tmp_path)
    assert found.keys() == WEIGHTS.keys()
    assert all(torch.equal(found[name], value) for name, value in WEIGHTS.items())


def test_a_file_of_before_torch_1_6_is_read(tmp_path: Path) -> None:
    torch.save(WEIGHTS, tmp_path / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    assert read_weights(tmp_path).keys() == WEIGHTS.keys()


@pytest.mark.parametrize("layout", ["safetensors", "bin"])
def test_half_a_file_is_told(tmp_path: Path, layout: str) -> None:
    write(tmp_path, layout)
    [path] = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"cannot be read .*: truncated.*; download it again$"):
        read_weights(tmp_path)


def test_a_part_that_is_not_there_is_told(tmp_path: Path) -> None:
    write(tmp_path, "safetensors sharded")
    (tmp_path / "part-1.safetensors").unlink()
    with pytest.raises(ValueError, match=r"index\.json: `weight_map` names 'part-1\.safetensors', which is missing"):
        read_weights(tmp_path)


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"a": Malicious(tmp_path / "harm")}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"pytorch_model\.bin cannot be read .* more than weights"):
        read_weights(tmp_path)
    assert not (tmp_path / "harm").exists()


def test_no_weights_at_all(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds neither model\.safetensors nor pytorch_model\.bin"):
        read_weights(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "is not JSON"), ("[]", "holds a list; expected an object"), (None, "holds no config")],
)
def test_a_configuration_that_is_none(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / CONFIG).write_text(content)
    with pytest.raises(ValueError, match=message):
        read_config(tmp_path)


def test_a_name_instead_of_a_folder(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"is not a folder; .* download a model with `hf download NAME --local-dir FOLDER`"
    ):
        read_config(tmp_path / "facebook" / "data2vec-audio-base")


def test_an_error_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError), new_folder(tmp_path / "out") as folder:
        folder.write_text("")
    assert not list(tmp_path.iterdir())


def test_an_error_leaves_the_folder_of_before(tmp_path: Path) -> None:
    make(tmp_path / "out", "first")
    with pytest.raises(IsADirectoryError), new_folder(tmp_path / "out") as folder:
        folder.write_text("")
    assert (tmp_path / "out" / "first").exists()


def test_a_folder_of_our_own_is_replaced(tmp_path: Path) -> None:
    make(tmp_path / "out", "first")
    make(tmp_path / "out", "second")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [CONFIG, "second"]


@pytest.mark.parametrize("config", [None, "{}", "no JSON"])
def test_any_other_folder_is_not(tmp_path: Path, config: str | None) -> None:
    (tmp_path / "thesis.tex").write_text("")
    if config is not None:
        (tmp_path / CONFIG).write_text(config)
    with pytest.raises(ValueError, match="exists, and was not made by `data2vec convert`"):
        make(tmp_path, "first")
    assert (tmp_path / "thesis.tex").exists()


def make(out: Path, name: str) -> None:
    with new_folder(out) as folder:
        write_json(folder / CONFIG, {MADE_BY: "data2vec convert"})
        (folder / name).write_text("")
