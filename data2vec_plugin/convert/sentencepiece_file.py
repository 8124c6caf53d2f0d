"""What a SentencePiece model says beyond its pieces: how it normalises text. Read off the file's protocol buffer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Tuple

from ..data.text.subwords import SentencePiece
from ..files.opening import read_bytes

TRAINER, NORMALIZER = 2, 3
MODEL_TYPE, UNIGRAM = 3, 1
CHARACTERS, PREFIX, EXTRA_SPACES = 2, 3, 4
"""Numbers of the fields that are read: of the file, of its trainer's settings, of its normaliser's."""
VARINT, FIXED = 0, {1: 8, 5: 4}
"""Kinds of fields: a number of any length, or so many bytes; of all others the length comes first."""


@dataclass(frozen=True)
class Pieces:
    """A unigram model: pieces with their scores, and what is done to a text first.

    ``characters`` is SentencePiece's compiled table of characters and their normal forms; with ``prefix`` a space is
    put before a text; with ``trimmed`` runs of spaces become one, and there are none at the ends.
    """

    scores: Dict[str, float]
    characters: bytes
    prefix: bool
    trimmed: bool


def read_pieces(path: Path) -> Pieces:
    """Raises ValueError for a file that is no unigram model, or has pieces that are not weighed against others."""
    processor: Any = SentencePiece(path).processor
    content = message(read_bytes(path))
    trainer, normalizer = (message(content.get(part, b"")) for part in (TRAINER, NORMALIZER))
    rows = [row for row in range(processor.GetPieceSize()) if not stands_for_no_text(processor, row)]
    scores = {processor.IdToPiece(row): processor.GetScore(row) for row in rows}
    # user-defined pieces and single bytes have no score
    if trainer.get(MODEL_TYPE, UNIGRAM) != UNIGRAM or any(score >= 0 for score in scores.values()):
        raise ValueError(
            f"{path} is not of SentencePiece's kind unigram, or has pieces of the user's or of bytes; a tokenizer is "
            f"made of plain unigram models only"
        )
    return Pieces(
        scores,
        characters=normalizer.get(CHARACTERS, b""),
        prefix=bool(normalizer.get(PREFIX, True)),
        trimmed=bool(normalizer.get(EXTRA_SPACES, True)),
    )


def stands_for_no_text(processor: Any, row: int) -> bool:
    """Whether a piece is the unknown, or one for control."""
    return bool(processor.IsUnknown(row) or processor.IsControl(row) or processor.IsUnused(row))


def message(content: bytes) -> Dict[int, Any]:
    """The fields of a protocol buffer by number, of repeated ones the last: numbers, or bytes.

    >>> message(bytes([8, 150, 1, 18, 2, 104, 105]))
    {1: 150, 2: b'hi'}
    """
    fields: Dict[int, Any] = {}
    at = 0
    while at < len(content):
        tag, at = varint(content, at)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            fields[number], at = varint(content, at)
            continue
        size, at = (FIXED[kind], at) if kind in FIXED else varint(content, at)
        fields[number] = content[at : at + size]
        at += size
    return fields


def varint(content: bytes, at: int) -> Tuple[int, int]:
    """A number of seven bits a byte, and where it ends."""
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
