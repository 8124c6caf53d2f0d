"""The units of transcripts for CTC: letters, SentencePiece subwords, or words."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, List, Optional, Protocol

from ..files.writing import replacing
from .spelling import spell
from .subword_training import learn, sentencepiece

MODEL = "spm.model"
KINDS = ("char", "bpe", "word")


class Units(Protocol):
    """``ending`` is the extension of label files and of their dictionary, ``noun`` is used in messages."""

    ending: str
    noun: str
    post_process: str
    """fairseq's name for joining the units back to words."""

    def split(self, text: str) -> List[str]:
        """The units of a text of words."""


class Letters:
    """Each letter, and a boundary after each word: for any script, in the order of its characters."""

    ending, noun, post_process = "ltr", "letter", "letter"

    def split(self, text: str) -> List[str]:
        """``THE`` -> T, H, E, |."""
        return spell(text).split()


class Words:
    """Each word: for small vocabularies such as commands and digits."""

    ending, noun, post_process = "wrd", "word", "none"

    def split(self, text: str) -> List[str]:
        """The words."""
        return text.split()


class Subwords:
    """Pieces of words, by a SentencePiece model."""

    ending, noun, post_process = "bpe", "subword", "sentencepiece"

    def __init__(self, model: Path) -> None:
        from ..data.text.subwords import SentencePiece

        self.split = SentencePiece(model).encode


@dataclass(frozen=True)
class UnitSettings:
    """The kind of units; for subwords, how many to learn, or an existing ``model``."""

    kind: str = "char"
    size: int = 500
    model: Optional[Path] = None


def make_units(settings: UnitSettings, texts: Iterable[str], folder: Path) -> Units:
    """The units; subwords are learned from ``texts`` and their model is written into the folder.

    Raises ValueError for an unknown kind, a model that cannot be read, or too little text for as many subwords.
    """
    if settings.kind not in KINDS:
        raise ValueError(f"`--units` is {settings.kind!r}; expected {', '.join(KINDS)}")
    if settings.model is not None and settings.kind != "bpe":
        raise ValueError(f"`--spm` is a model of subwords, and `--units` is {settings.kind}; give `--units bpe`")
    if settings.kind != "bpe":
        return Letters() if settings.kind == "char" else Words()
    if settings.model is not None:
        sentencepiece()  # a missing package is not the model's fault
        try:
            return Subwords(settings.model)
        except ValueError as error:
            raise ValueError(f"`--spm` {settings.model} is no readable SentencePiece model: {error}") from error
    learned = "".join(f"{line}\n" for line in texts)
    if not learned:
        raise ValueError(
            "`--units bpe` with `--dict` learns no subwords; give those of that dictionary with `--spm MODEL`"
        )
    with tempfile.TemporaryDirectory() as drafts:
        text, model = Path(drafts) / "train.txt", Path(drafts) / MODEL
        text.write_text(learned, "utf-8")
        learn([text], model, settings.size, "bpe", sentences=2_000_000, coverage=1.0)
        with replacing(folder / MODEL) as part:
            shutil.copyfile(model, part)
    return Subwords(folder / MODEL)
