"""What a transcript is spelled in, for CTC: letters, SentencePiece's subwords, or words."""

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
    """``ending`` is of the files of labels and of their dictionary, ``noun`` for people."""

    ending: str
    noun: str
    post_process: str
    """What fairseq calls the way back to words."""

    def split(self, text: str) -> List[str]:
        """The units of a text of words."""


class Letters:
    """Each letter, and a boundary after each word: any script, in the order in which it is written down."""

    ending, noun, post_process = "ltr", "letter", "letter"

    def split(self, text: str) -> List[str]:
        """``THE`` -> T, H, E, |."""
        return spell(text).split()


class Words:
    """Each word: for commands and digits, of which there are few."""

    ending, noun, post_process = "wrd", "word", "none"

    def split(self, text: str) -> List[str]:
        """The words."""
        return text.split()


class Subwords:
    """Pieces of words, by a model of SentencePiece's."""

    ending, noun, post_process = "bpe", "subword", "sentencepiece"

    def __init__(self, model: Path) -> None:
        from ..data.text.subwords import SentencePiece

        self.split = SentencePiece(model).encode


@dataclass(frozen=True)
class UnitSettings:
    """Which units; of subwords how many are learned, or the ``model`` that is there already."""

    kind: str = "char"
    size: int = 500
    model: Optional[Path] = None


def make_units(settings: UnitSettings, texts: Iterable[str], folder: Path) -> Units:
    """The units, subwords learned from ``texts`` and their model written into the folder.

    Raises ValueError for a kind that there is not, a model that cannot be read, or fewer subwords than were asked for.
    """
    if settings.kind not in KINDS:
        raise ValueError(f"`--units` is {settings.kind!r}; expected {', '.join(KINDS)}")
    if settings.model is not None and settings.kind != "bpe":
        raise ValueError(f"`--spm` is a model of subwords, and `--units` is {settings.kind}; give `--units bpe`")
    if settings.kind != "bpe":
        return Letters() if settings.kind == "char" else Words()
    if settings.model is not None:
        sentencepiece()  # whose absence is no fault of the model
        try:
            return Subwords(settings.model)
        except ValueError as error:
            raise ValueError(f"`--spm` {settings.model} is no SentencePiece model that can be read: {error}") from error
    learned = "".join(f"{line}\n" for line in texts)
    if not learned:
        raise ValueError(
            "`--units bpe` beside `--dict` learns nothing; give the subwords of that dictionary, `--spm MODEL`"
        )
    with tempfile.TemporaryDirectory() as drafts:
        text, model = Path(drafts) / "train.txt", Path(drafts) / MODEL
        text.write_text(learned, "utf-8")
        learn([text], model, settings.size, "bpe", sentences=2_000_000, coverage=1.0)
        with replacing(folder / MODEL) as part:
            shutil.copyfile(model, part)
    return Subwords(folder / MODEL)
