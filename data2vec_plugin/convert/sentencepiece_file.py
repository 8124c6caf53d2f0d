"""How a SentencePiece model normalises text, read from the file's protocol buffer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Tuple

from ..data.text.subwords import SentencePiece
from ..files.opening import read_bytes

TRAINER, NORMALIZER = 2, 3
MODEL_TYPE, UNIGRAM = 3, 1
CHARACTERS, PREFIX, EXTRA_SPACES = 2, 3, 4
"""Numbers of the fields that are read: of the file, of its trainer's settings, of its normaliser's settings."""
VARINT, FIXED = 0, {1: 8, 5: 4}
"""Kinds of fields: a varint, or a fixed number of bytes; all others begin with their length."""


@dataclass(frozen=True)
class Pieces:
    """A unigram model: pieces with their scores, and the normalisation of text.

    ``characters`` is SentencePiece's compiled table of characters and their normal forms; with ``prefix`` a space is
    prepended to a text; with ``trimmed`` runs of spaces become one, and those at the ends are removed.
    """

    scores: Dict[str, float]
    characters: bytes
    prefix: bool
    trimmed: bool


def read_pieces(path: Path) -> Pieces:
    """Raises ValueError for a file that is no unigram model, or has pieces without scores."""
    processor: Any = SentencePiece(path).processor
    content = message(read_bytes(path))
    trainer, normalizer = (message(content.get(part, b"")) for part in (TRAINER, NORMALIZER))
    rows = [row for row in range(processor.GetPieceSize()) if not stands_for_no_text(processor, row)]
    scores = {processor.IdToPiece(row): processor.GetScore(row) for row in rows}
    # user-defined pieces and single bytes have no score
    if trainer.get(MODEL_TYPE, UNIGRAM) != UNIGRAM or any(score >= 0 for score in scores.values()):
        raise ValueError(
            f"{path} is no SentencePiece unigram model, or has user-defined or byte pieces; only plain unigram models "
            f"can become a tokenizer"
        )
    return Pieces(
        scores,
        characters=normalizer.get(CHARACTERS, b""),
        prefix=bool(normalizer.get(PREFIX, True)),
        trimmed=bool(normalizer.get(EXTRA_SPACES, True)),
    )


def stands_for_no_text(processor: Any, row: int) -> bool:
    """Whether a piece is the unknown symbol or a control symbol."""
    return bool(processor.IsUnknown(row) or processor.IsControl(row) or processor.IsUnused(row))


def message(content: bytes) -> Dict[int, Any]:
    """The fields of a protocol buffer by number, the last one if repeated: numbers, or bytes.

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
    """A varint, seven bits per byte, and its end."""
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
