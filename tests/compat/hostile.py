"""Small files that one might be handed as a checkpoint, each of which ended in a traceback once, or in gigabytes."""

import collections
import enum
import io
import pickle
import typing
import zipfile
from argparse import Namespace
from pathlib import Path
from typing import Any, Callable, Dict

import torch
from omegaconf import OmegaConf

Write = Callable[[Path], Any]


class Call:
    """Pickled, it is a call of a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def saved(value: Any, zipped: bool = True) -> Write:
    return lambda path: torch.save(value, path, _use_new_zipfile_serialization=zipped)


def content(value: bytes) -> Write:
    return lambda path: path.write_bytes(value)


def configured(**cfg: Any) -> Dict[str, Any]:
    return {"cfg": {"model": {"_name": "data2vec_audio"}, "task": {}, **cfg}, "model": {"w": torch.zeros(2)}}


def cyclic() -> Dict[str, Any]:
    section: Dict[str, Any] = {"_name": "data2vec_audio"}
    section["again"] = section
    return configured(model=section)


def doubled(times: int) -> Dict[str, Any]:
    """A configuration of 2^times values out of as many objects as doublings."""
    section: Any = 1
    for _ in range(times):
        section = {"a": section, "b": section}
    return configured(model=section)


def deep(levels: int) -> Dict[str, Any]:
    section: Any = 1
    for _ in range(levels):
        section = {"a": section}
    return configured(model=section)


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model/data.pkl", bytes(50_000_000))


def package(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/.data/extern_modules", "torch")
        archive.writestr("model/model/data.pkl", "x")


def view(size: Any, stride: Any, offset: int = 0) -> Any:
    """A tensor over a storage of one number."""
    return Call(
        torch._utils._rebuild_tensor_v2,
        torch.zeros(1).storage(),
        offset,
        size,
        stride,
        False,
        collections.OrderedDict(),
    )


def changed(key: bytes, new: bytes) -> Write:
    """A checkpoint with other bytes in its pickle, and checksums that are right."""

    def write(path: Path) -> None:
        buffer = io.BytesIO()
        torch.save({"model": {"w": torch.zeros(3)}}, buffer)
        with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(path, "w") as archive:
            for name in old.namelist():
                archive.writestr(name, old.read(name).replace(key, new))

    return write


RESOLVED = "${oc.env:PATH}"

HOSTILE: Dict[str, Write] = {
    "a plain pickle": content(pickle.dumps({"model": 1})),
    "a pickle of nothing": content(b"\x80\x02."),
    "a pickle of opcodes": content(b"\x80\x02" + b"]" * 1000),
    "a package": package,
    "a zip bomb": bomb,
    "a size that is negative": saved({"w": view((-5,), (1,))}),
    "a size beyond the storage": saved({"w": view((10**6,), (1,))}),
    "a size of no number": saved({"w": view(("a",), (1,))}),
    "an offset beyond the storage": saved({"w": view((1,), (1,), 10**12)}),
    "an offset beyond all numbers": saved({"w": view((1,), (1,), 10**30)}),
    "a stride beyond the storage": saved({"w": view((2,), (10**9,))}),
    "a stride of nothing": saved({"model": {"w": view((10**6, 10**6), (0, 0))}}),
    "a storage that is larger than the file": changed(b"K\x03tq", b"J\xff\xff\xff\x7ftq"),
    "bytes by their number": saved({"w": Call(bytes, 10**10)}),
    "bytes that change by their number": saved({"w": Call(bytearray, 10**10)}),
    "bytes by their number, old format": saved({"w": Call(bytearray, 10**10)}, zipped=False),
    "a type by its name": saved({"w": Call(typing.Optional.__getitem__, "1 +")}),
    "an enum that is made": saved({"w": Call(enum.Enum, "Made", ["a", "b"])}),
    "a configuration in itself": saved(cyclic()),
    "a configuration that doubles": saved(doubled(40)),
    "a configuration too deep": saved(deep(200)),
    "a password": saved(configured(common={"seed": RESOLVED})),
    "a password in a node": saved({**configured(), "cfg": OmegaConf.create({"model": {"w2v_path": RESOLVED}})}),
    "a password in a section": saved({**configured(), "cfg": OmegaConf.create({"model": RESOLVED})}),
    "a password in arguments": saved({"args": Namespace(arch="data2vec_audio", data=RESOLVED), "model": {}}),
    "a million layers": saved(configured(model={"_name": "data2vec_audio", "encoder_layers": 10**6})),
    "a million layers in words": saved(configured(model={"_name": "wav2vec2", "encoder_layers": "1000000"})),
    "a million layers within": saved(configured(model={"w2v_args": {"model": {"encoder_layers": 10**6}}})),
}
"""By what is wrong with each."""
