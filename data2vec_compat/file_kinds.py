"""Identifies files that are not checkpoints, by their first bytes; runs nothing in them."""

import json
import os
import zipfile
from contextlib import contextmanager
from typing import Any, BinaryIO, Iterator, NamedTuple, Optional


class FileKind(NamedTuple):
    """A name for programs; a description and advice for messages of the form "it is …; …"."""

    name: str
    words: str
    advice: str


AGAIN = "copy it again, use another checkpoint or delete it"
EMPTY = FileKind("empty", "an empty file", AGAIN)
TRUNCATED = FileKind("truncated", "truncated or damaged", AGAIN)
CONVERT = "convert the folder with `data2vec convert FOLDER --to fairseq --out FILE`"
CONVERTED = ("data2vec-audio", "data2vec-text", "data2vec-vision")
NOT_CONVERTED = f"`data2vec convert` supports folders of model type {', '.join(CONVERTED)}"
SAFETENSORS = FileKind("safetensors", "a safetensors file, the format of Hugging Face models", CONVERT)
TORCHSCRIPT = FileKind(
    "torchscript", "a TorchScript archive, which is a program", "use the checkpoint from which it was exported"
)
ZIP = FileKind("zip", "a zip archive, but not a checkpoint", "use the .pt file of a training run")
PACKAGE = FileKind("package", "a torch.package archive, which is a program", "use the .pt file of a training run")
BOMB = FileKind("bomb", "an archive that unpacks to more than its size, which torch never writes", "use another file")
TAR = FileKind("tar", "a tar archive", "use the .pt file of a training run")
POINTER = FileKind("lfs", "a Git LFS pointer to a file that was not downloaded", "fetch it with `git lfs pull`")
PAGE = FileKind("page", "a web page", "download it again: the server sent a page instead of the file")
TEXT = FileKind("text", "a text file", "use the .pt file of a training run")
FOLDER = FileKind("folder", "a folder", "use the .pt file of a training run")
OTHER = FileKind("other", "not a checkpoint: neither an archive nor a pickle", "use the .pt file of a training run")

PICKLES = tuple(b"\x80" + bytes([protocol]) for protocol in range(2, 6))
"""The first bytes of torch's older format, whatever its content."""

_TAR_MAGIC = slice(257, 262)
LONGEST_JSON = 20 * 2**20
"""Most bytes of JSON to read, since parsing needs up to 30 times as much memory; no model needs more."""


def other_kind(source: Any) -> Optional[FileKind]:
    """The kind of a path or an open file, None if it begins like a torch checkpoint. The file position is kept."""
    if isinstance(source, (str, os.PathLike)) and os.path.isdir(source):
        return kind_of_folder(source)
    with opened(source) as file:
        start = file.tell()
        try:
            return _kind(file)
        finally:
            file.seek(start)


def is_old_format(path: str) -> bool:
    """Whether a file begins like a checkpoint written by torch before 1.6: pickles instead of an archive."""
    with open(path, "rb") as file:
        return file.read(2) in PICKLES


@contextmanager
def opened(source: Any) -> Iterator[BinaryIO]:
    """Opens a path; an open file is returned as it is."""
    if isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as file:
            yield file
    else:
        yield source


def hugging_face_config(folder: Any) -> "Optional[dict[str, Any]]":
    """The config.json of a Hugging Face folder; None for any other folder."""
    try:
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
            if os.fstat(file.fileno()).st_size > LONGEST_JSON:
                return None
            config = json.load(file)
    except (OSError, ValueError, RecursionError):
        return None
    return config if isinstance(config, dict) and {"model_type", "architectures"} & set(config) else None


def architecture(config: "dict[str, Any]") -> str:
    """The name of the first architecture in a config.json, or of its model's type."""
    names = config.get("architectures")
    return str(names[0] if isinstance(names, list) and names else config.get("model_type"))


def kind_of_folder(folder: Any) -> FileKind:
    """The kind of a folder: a Hugging Face folder, with the name of its architecture, or any other."""
    config = hugging_face_config(folder)
    if config is None:
        return FOLDER
    name = architecture(config)
    advice = CONVERT if config.get("model_type") in CONVERTED else NOT_CONVERTED
    return FileKind("huggingface", f"a Hugging Face folder of `{name}`", advice)


def _kind(file: BinaryIO) -> Optional[FileKind]:
    start = file.tell()
    head = file.read(512)
    file.seek(start)
    if not head:
        return EMPTY
    if head.startswith(b"PK"):
        return _kind_of_archive(file) if zipfile.is_zipfile(file) else TRUNCATED
    if head.startswith(PICKLES):
        return None
    if head[_TAR_MAGIC] == b"ustar":
        return TAR
    return SAFETENSORS if safetensors_header(file) is not None else _kind_of_text(head)


def _kind_of_archive(file: BinaryIO) -> Optional[FileKind]:
    try:
        with zipfile.ZipFile(file) as archive:
            names = {name.rpartition("/")[2] for name in archive.namelist()}
            unpacked = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError):  # its index is damaged
        return TRUNCATED
    if "constants.pkl" in names:
        return TORCHSCRIPT
    if "extern_modules" in names:
        return PACKAGE
    if unpacked > file.seek(0, os.SEEK_END):
        return BOMB
    return None if "data.pkl" in names else ZIP


def _kind_of_text(head: bytes) -> FileKind:
    if head.startswith(b"version https://git-lfs"):
        return POINTER
    if head.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        return PAGE
    return TEXT if head[:-4].isascii() and b"\0" not in head else OTHER


def safetensors_header(file: BinaryIO) -> "Optional[dict[str, Any]]":
    """The header of a safetensors file: type, shape and offsets of each tensor by name; None for any other file."""
    start = file.tell()
    size = int.from_bytes(file.read(8), "little")
    brace = file.read(1)
    if brace != b"{" or size > LONGEST_JSON:
        file.seek(start)
        return None
    try:
        header = json.loads(brace + file.read(size - 1))
    except (ValueError, RecursionError):  # invalid JSON or UTF-8; nested too deep
        header = None
    file.seek(start)
    return header if isinstance(header, dict) else None
