"""What a file is that somebody took for a checkpoint, told by its first bytes; nothing in it is run."""

import json
import os
import zipfile
from contextlib import contextmanager
from typing import Any, BinaryIO, Iterator, NamedTuple, Optional


class FileKind(NamedTuple):
    """A name for programs; words and advice for people, which continue "it is …; …"."""

    name: str
    words: str
    advice: str


AGAIN = "copy it again, use another one or delete it"
EMPTY = FileKind("empty", "an empty file", AGAIN)
TRUNCATED = FileKind("truncated", "truncated or damaged", AGAIN)
CONVERT = "convert the folder with `data2vec convert FOLDER --to fairseq --out FILE`"
CONVERTED = ("data2vec-audio", "data2vec-text", "data2vec-vision")
NOT_CONVERTED = f"`data2vec convert` takes folders of model type {', '.join(CONVERTED)}"
SAFETENSORS = FileKind("safetensors", "a safetensors file, as Hugging Face's models are", CONVERT)
TORCHSCRIPT = FileKind(
    "torchscript", "a TorchScript archive, which is a program", "give the checkpoint that it was made of"
)
ZIP = FileKind("zip", "a zip archive of something else", "give the .pt file of a training")
PACKAGE = FileKind("package", "an archive of torch.package, which is a program", "give the .pt file of a training")
BOMB = FileKind("bomb", "an archive that unpacks to more than it is, which torch never writes", "use another one")
TAR = FileKind("tar", "a tar archive", "give the .pt file of a training")
POINTER = FileKind("lfs", "a pointer of Git LFS to a file that is not here", "fetch it with `git lfs pull`")
PAGE = FileKind("page", "a web page", "download it again: a page came instead of the file")
TEXT = FileKind("text", "a text file", "give the .pt file of a training")
FOLDER = FileKind("folder", "a folder", "give the .pt file of a training")
OTHER = FileKind("other", "no checkpoint: neither an archive nor pickles", "give the .pt file of a training")

PICKLES = tuple(b"\x80" + bytes([protocol]) for protocol in range(2, 6))
"""How torch's older format begins, whatever it holds."""

_TAR_MAGIC = slice(257, 262)
LONGEST_JSON = 20 * 2**20
"""Bytes of JSON that are read, which takes up to 30 times their number in memory; no model has more."""


def other_kind(source: Any) -> Optional[FileKind]:
    """What a path or an open file is, unless it begins as torch's checkpoints do: then None. The position stays."""
    if isinstance(source, (str, os.PathLike)) and os.path.isdir(source):
        return kind_of_folder(source)
    with opened(source) as file:
        start = file.tell()
        try:
            return _kind(file)
        finally:
            file.seek(start)


def is_old_format(path: str) -> bool:
    """Whether a file begins as torch wrote checkpoints before 1.6: no archive, but pickles."""
    with open(path, "rb") as file:
        return file.read(2) in PICKLES


@contextmanager
def opened(source: Any) -> Iterator[BinaryIO]:
    """A path opened, or an open file as it is."""
    if isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as file:
            yield file
    else:
        yield source


def hugging_face_config(folder: Any) -> "Optional[dict[str, Any]]":
    """The config.json of a folder of Hugging Face's; None if it is none."""
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
    """What a folder is: Hugging Face's, with the name of its architecture, or any other."""
    config = hugging_face_config(folder)
    if config is None:
        return FOLDER
    name = architecture(config)
    advice = CONVERT if config.get("model_type") in CONVERTED else NOT_CONVERTED
    return FileKind("huggingface", f"a folder of Hugging Face's `{name}`", advice)


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
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError):  # its end is whole, its index is not
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
    """What a safetensors file says of its tensors: type, shape and place by name; None if it is no such file."""
    start = file.tell()
    size = int.from_bytes(file.read(8), "little")
    brace = file.read(1)
    if brace != b"{" or size > LONGEST_JSON:
        file.seek(start)
        return None
    try:
        header = json.loads(brace + file.read(size - 1))
    except (ValueError, RecursionError):  # of json, of unicode; nested too deep
        header = None
    file.seek(start)
    return header if isinstance(header, dict) else None
