"""The dictionary and the subword model that a text checkpoint was trained with: given by the user, or found."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, List, Mapping, Optional, Tuple

from ..data.text.dictionary_file import load_dictionary
from ..data.text.subwords import GPT2_FILES, Gpt2Bpe, SentencePiece, Spaces, Subwords
from ..files.opening import read_bytes

DICTIONARY, PIECES = "dict.txt", "spm.model"


@dataclass(frozen=True)
class TextFiles:
    """A dictionary with ``<mask>``, the subword encoder, its ``kind``, the paths of both, and the encoder's digest."""

    dictionary: Any
    dictionary_path: Path
    subwords: Subwords
    kind: str
    paths: List[Path]
    digest: str

    @property
    def cut_by(self) -> str:
        """The subword model, for messages."""
        return " and ".join(map(str, self.paths)) or "text that is tokenised already"


@dataclass(frozen=True)
class Given:
    """The files given by the user; of the last three at most one."""

    dictionary: Optional[Path] = None
    sentencepiece: Optional[Path] = None
    gpt2_bpe: Optional[Path] = None
    symbols: bool = False


def find_text_files(given: Given, task: Mapping[str, Any], folders: List[Path], vocabulary: int) -> TextFiles:
    """Use the user's files, then those of the checkpoint's ``task``, then those in ``folders``.

    ``vocabulary`` is the number of symbols of the checkpoint's embedding. Raises ValueError if nothing is found, or if
    the dictionary does not match.
    """
    folders = [*folders, *trained_on(task)]
    path = given.dictionary or _first(folders, DICTIONARY)
    if path is None or not path.is_file():
        where = f"{path}" if path else f"{DICTIONARY} in {', '.join(map(str, folders))}"
        raise ValueError(f"no dictionary: looked for {where}; give the checkpoint's with `--dict FILE`")
    dictionary = masked_dictionary(path, vocabulary)
    kind, files = subword_files(given, task, [path.parent, *folders])
    subwords: Subwords = Spaces()
    if kind == "sentencepiece":
        subwords = SentencePiece(*files)
    elif kind == "gpt2":
        subwords = Gpt2Bpe(*files)
    content = hashlib.sha256(kind.encode())
    for file in files:
        content.update(read_bytes(file))
    return TextFiles(dictionary, path, subwords, kind, files, content.hexdigest()[:16])


def trained_on(task: Mapping[str, Any]) -> List[Path]:
    """The data folders of a checkpoint's task, and those within them in which fairseq stores sentences."""
    folders = [Path(part) for part in str(task.get("data") or "").split(":") if part]
    return [*folders, *(folder / "input0" for folder in folders)]


def masked_dictionary(path: Path, vocabulary: int) -> Any:
    """The dictionary in a file, with ``<mask>``; raises ValueError unless it has as many symbols as a checkpoint."""
    dictionary = load_dictionary(path)
    dictionary.add_symbol("<mask>")  # tasks add it after loading
    if len(dictionary) != vocabulary:
        raise ValueError(
            f"{path} has {len(dictionary)} symbols (<mask> included), the checkpoint {vocabulary}: it was trained with "
            f"another dictionary; give that one with `--dict FILE`"
        )
    return dictionary


def subword_files(given: Given, task: Mapping[str, Any], folders: List[Path]) -> Tuple[str, List[Path]]:
    """The kind of subwords and their files.

    A task without ``bpe`` may have trained on binaries of any kind, so files next to the dictionary are used; raises
    ValueError if there are none, or files of both kinds.
    """
    if given.symbols:
        return "none", []
    if given.sentencepiece:
        return "sentencepiece", [given.sentencepiece]
    if given.gpt2_bpe:
        return "gpt2", [given.gpt2_bpe / name for name in GPT2_FILES]
    kind = task.get("bpe") or "none"
    pieces, pairs = found_subwords(task, folders)
    if pieces and (kind == "sentencepiece" or (kind == "none" and not pairs)):
        return "sentencepiece", pieces
    if len(pairs) == len(GPT2_FILES) and (kind == "gpt2" or (kind == "none" and not pieces)):
        return "gpt2", pairs
    found = [str(path) for path in (*pieces, *pairs)]
    raise ValueError(
        f"the kind of subwords is unclear: the checkpoint's task has `bpe` = {kind}, and next to the dictionary "
        f"{', '.join(found) or 'nothing'} was found; give --sentencepiece MODEL or --gpt2-bpe FOLDER, or --symbols for "
        f"text that is already tokenised into the dictionary's symbols"
    )


def found_subwords(task: Mapping[str, Any], folders: List[Path]) -> Tuple[List[Path], List[Path]]:
    """(The SentencePiece model, GPT-2's files) that a task names or that are in folders, as far as they exist."""
    pieces = _named(task, "sentencepiece_model") or _first(folders, PIECES)
    pairs = [_named(task, f"gpt2_{name.replace('.', '_')}") or _first(folders, name) for name in GPT2_FILES]
    return [pieces] if pieces else [], [path for path in pairs if path is not None]


def _named(task: Mapping[str, Any], key: str) -> Optional[Path]:
    """A file that the checkpoint's task names, if it still exists: paths inside a checkpoint are only hints."""
    path = task.get(key)
    return Path(path) if path and Path(path).is_file() else None


def _first(folders: List[Path], name: str) -> Optional[Path]:
    return next((folder / name for folder in folders if (folder / name).is_file()), None)
