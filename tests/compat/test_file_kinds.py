"""What a file is, told by its first bytes."""

import io
import json
import zipfile
from pathlib import Path

import pytest
import torch

from data2vec_compat.file_kinds import is_old_format, other_kind, safetensors_header


def archive(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as written:
        for name in names:
            written.writestr(name, "x")
    return buffer.getvalue()


def safetensors(header: object) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + b"\0" * 8


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"", "empty"),
        (archive("a.txt"), "zip"),
        (archive("model/data.pkl", "model/constants.pkl"), "torchscript"),
        (archive("model/data.pkl")[:-30], "truncated"),
        (b"PK\x03\x04", "truncated"),
        (archive("model/data.pkl").replace(b"PK\x01\x02", bytes(4)), "truncated"),
        (safetensors({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}), "safetensors"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "lfs"),
        (b"\n<!DOCTYPE html><html>", "page"),
        (b"hello\n" * 200, "text"),
        (b"\x1f\x8b\x08\x00" + bytes(range(200)), "other"),
        (safetensors(["no", "header"]), "other"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_files_that_are_no_checkpoint(tmp_path: Path, content: bytes, name: str) -> None:
    path = tmp_path / "file.pt"
    path.write_bytes(content)
    kind = other_kind(path)
    assert kind is not None
    assert kind.name == name


@pytest.mark.parametrize("zipped", [True, False])
def test_checkpoints_of_torch_are_for_torch_to_read(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "file.pt"
    torch.save({"w": torch.zeros(2)}, path, _use_new_zipfile_serialization=zipped)
    assert other_kind(path) is None
    assert is_old_format(str(path)) is not zipped


def test_an_open_file_stays_where_it_is() -> None:
    file = io.BytesIO(b"....hello world")
    file.seek(4)
    kind = other_kind(file)
    assert kind is not None
    assert (kind.name, file.tell()) == ("text", 4)


def test_what_a_safetensors_file_says_of_itself() -> None:
    header = {"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
    assert safetensors_header(io.BytesIO(safetensors(header))) == header
    huge = (2**62).to_bytes(8, "little") + b"{"
    assert safetensors_header(io.BytesIO(huge)) is None
