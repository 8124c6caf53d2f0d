"""Hugging Face folders: reads and writes their weights and configuration; writing is atomic."""

from __future__ import annotations

import json
import pickle
import zipfile
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping

import torch
from torch import Tensor

from data2vec_compat.file_kinds import other_kind
from data2vec_compat.loaded_state import UnbelievableError, check_loaded
from data2vec_compat.safe_load import MALFORMED, ODD

from ..files.text.json_files import read_json
from ..files.unusable import UnusableFileError
from ..files.writing import replacing_folder

CONFIG, CARD = "config.json", "README.md"
SAFETENSORS, PICKLED = "model.safetensors", "pytorch_model.bin"
MADE_BY = "converted_by"
"""The key of config.json that marks folders written by `data2vec convert`."""


@contextmanager
def naming_file(path: Path) -> Iterator[None]:
    """Name the file in errors that unexpected values in it cause.

    Raises UnusableFileError instead of the errors of arithmetic, look-ups and attribute access.
    """
    try:
        yield
    except (KeyError, TypeError, AttributeError, IndexError, ArithmeticError, RuntimeError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise UnusableFileError.of(path, f"its values are not as in Hugging Face's format ({reason})") from error


def read_config(folder: Path) -> Dict[str, Any]:
    """A folder's config.json; raises ValueError if it is no Hugging Face folder."""
    if not folder.is_dir():
        raise ValueError(
            f"{folder} is not a folder; `--to fairseq` reads a Hugging Face folder: download a model with "
            f"`hf download NAME --local-dir FOLDER`"
        )
    if not (folder / CONFIG).is_file():
        raise ValueError(f"{folder} holds no {CONFIG}; expected a Hugging Face folder, as written by save_pretrained")
    return read_json(folder / CONFIG)


def read_weights(folder: Path) -> Dict[str, Tensor]:
    """All weights of a folder, in one file or several; raises ValueError if they are missing or truncated."""
    for name in (SAFETENSORS, PICKLED):
        if (folder / name).is_file():
            return read_file(folder / name)
        if (folder / f"{name}.index.json").is_file():
            parts = parts_of(folder / f"{name}.index.json")
            return {key: value for part in parts for key, value in read_file(folder / part).items()}
    raise ValueError(f"{folder} holds neither {SAFETENSORS} nor {PICKLED}; download it again")


def parts_of(index: Path) -> List[str]:
    """The files that an index names; raises UnusableFileError unless all are next to it."""
    places = read_json(index).get("weight_map", {})
    if not isinstance(places, dict) or not places or not all(isinstance(place, str) for place in places.values()):
        raise UnusableFileError.of(
            index, "its `weight_map` is not an object of file names by weight; download it again"
        )
    for place in set(places.values()):
        if Path(place).name != place or Path(place).suffix not in (".safetensors", ".bin"):
            raise UnusableFileError.of(index, f"`weight_map` names {place!r}; expected a file of weights next to it")
        if not (index.parent / place).is_file():
            raise UnusableFileError.of(index, f"`weight_map` names {place!r}, which is missing; download it, too")
    return sorted(set(places.values()))


def read_file(path: Path) -> Dict[str, Tensor]:
    """The weights in a file, without running anything in it; raises UnusableFileError for anything else."""
    kind = other_kind(path)
    if kind is not None and kind.name not in ("safetensors", "truncated", "text", "other"):
        raise UnusableFileError.of(path, f"it is {kind.words}; {kind.advice}")
    loaded: Any = read_safetensors(path) if path.suffix == ".safetensors" else read_pickled(path)
    if not isinstance(loaded, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in loaded.items()
    ):
        raise UnusableFileError.of(path, "it holds something other than weights by name; download it again")
    try:
        check_loaded(loaded)
    except UnbelievableError as error:
        raise UnusableFileError.of(path, f"it is {error}; download it again") from error
    return loaded


def read_safetensors(path: Path) -> Any:
    """The weights in a .safetensors."""
    need_safetensors()
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a dict
    except (SafetensorError, OSError, *ODD, *MALFORMED) as error:
        raise ValueError(f"{path} cannot be read ({error}): truncated or missing; download it again") from error


def read_pickled(path: Path) -> Any:
    """The weights in a .bin."""
    try:
        mapped = zipfile.is_zipfile(path)  # not the format of torch before 1.6
        return torch.load(str(path), map_location="cpu", weights_only=True, mmap=mapped)
    except (pickle.UnpicklingError, OSError, *ODD, *MALFORMED) as error:
        reason = str(error).strip().splitlines()[:1]
        raise ValueError(
            f"{path} cannot be read ({''.join(reason)}): truncated, or holds more than weights; download it again"
        ) from error


def write_weights(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Write a .safetensors that `transformers` loads."""
    from safetensors.torch import save_file

    save_file({name: value.contiguous() for name, value in weights.items()}, str(path), metadata={"format": "pt"})


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object as Hugging Face does: readable, keys in order."""
    path.write_text(json_text(content), "utf-8")


def json_text(content: Mapping[str, Any]) -> str:
    """A JSON object as Hugging Face writes it."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def need_safetensors() -> None:
    """Raise ValueError if the package is missing."""
    if find_spec("safetensors") is None:
        raise ValueError("Hugging Face folders require the package safetensors: pip install safetensors")


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A temporary folder that becomes ``out`` on success, replacing one that `data2vec convert` made.

    Raises ValueError if ``out`` is anything else, or if another command is writing it.
    """
    if out.exists() and not (out.is_dir() and (not any(out.iterdir()) or is_ours(out))):
        raise ValueError(f"`--out`: {out} exists, and was not made by `data2vec convert`; give another name")
    with replacing_folder(out) as part:
        yield part


def is_ours(folder: Path) -> bool:
    """Whether `data2vec convert` made a folder."""
    try:
        return MADE_BY in read_json(folder / CONFIG)
    except (OSError, ValueError):
        return False
