"""The dictionary and the subword model that a text checkpoint was trained with: given, or found, and said."""

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
    """A dictionary with ``<mask>``, what cuts text, of which ``kind``, from where both came, a digest of the latter."""

    dictionary: Any
    dictionary_path: Path
    subwords: Subwords
    kind: str
    paths: List[Path]
    digest: str

    @property
    def cut_by(self) -> str:
        """What cuts text, for people."""
        return " and ".join(map(str, self.paths)) or "text that is cut already"


@dataclass(frozen=True)
class Given:
    """What the user said of them; of the last three at most one."""

    dictionary: Optional[Path] = None
    sentencepiece: Optional[Path] = None
    gpt2_bpe: Optional[Path] = None
    symbols: bool = False


def find_text_files(given: Given, task: Mapping[str, Any], folders: List[Path], vocabulary: int) -> TextFiles:
    """Look where the user, then the checkpoint's ``task``, then the ``folders`` say.

    ``vocabulary`` is how many symbols the checkpoint's embedding has. Raises ValueError if nothing is found, or if
    the dictionary is another one.
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
    """The folders that a checkpoint's task took its data from, and those within where fairseq keeps sentences."""
    folders = [Path(part) for part in str(task.get("data") or "").split(":") if part]
    return [*folders, *(folder / "input0" for folder in folders)]


def masked_dictionary(path: Path, vocabulary: int) -> Any:
    """The dictionary in a file, with ``<mask>``; raises ValueError unless it has as many symbols as a checkpoint."""
    dictionary = load_dictionary(path)
    dictionary.add_symbol("<mask>")  # as tasks do after loading
    if len(dictionary) != vocabulary:
        raise ValueError(
            f"{path} has {len(dictionary)} symbols (<mask> included), the checkpoint {vocabulary}: it was trained with "
            f"another dictionary; give that one with `--dict FILE`"
        )
    return dictionary


def subword_files(given: Given, task: Mapping[str, Any], folders: List[Path]) -> Tuple[str, List[Path]]:
    """The kind of subwords and their files.

    A task without ``bpe`` may have trained on binaries of any kind, so files beside the dictionary count; where there
    are none, or of both kinds, a ValueError asks.
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
        f"which subwords? The checkpoint's task says `bpe` = {kind}, and {', '.join(found) or 'no files'} was found "
        f"beside the dictionary; give --sentencepiece MODEL or --gpt2-bpe FOLDER, or --symbols for text that is cut "
        f"into the dictionary's symbols already"
    )


def found_subwords(task: Mapping[str, Any], folders: List[Path]) -> Tuple[List[Path], List[Path]]:
    """(The SentencePiece model, GPT-2's files) that a task names or that lie in folders, as far as they are there."""
    pieces = _named(task, "sentencepiece_model") or _first(folders, PIECES)
    pairs = [_named(task, f"gpt2_{name.replace('.', '_')}") or _first(folders, name) for name in GPT2_FILES]
    return [pieces] if pieces else [], [path for path in pairs if path is not None]


def _named(task: Mapping[str, Any], key: str) -> Optional[Path]:
    """A file that the checkpoint's task names, if it is still there: paths inside a checkpoint are hints."""
    path = task.get(key)
    return Path(path) if path and Path(path).is_file() else None


def _first(folders: List[Path], name: str) -> Optional[Path]:
    return next((folder / name for folder in folders if (folder / name).is_file()), None)
