"""What a SentencePiece model says beyond its pieces: how it normalises text. Read off the file's protocol buffer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Tuple, Union

from ..data.subwords import SentencePiece

UNIGRAM = 1
TRAINER, NORMALIZER = 2, 3
MODEL_TYPE = 3
CHARACTERS, PREFIX, EXTRA_SPACES, ESCAPED = 2, 3, 4, 5
"""Numbers of the fields that are read, of the file, of its trainer's settings, of its normaliser's."""

Field = Union[int, bytes]


@dataclass(frozen=True)
class Pieces:
    """A unigram model: pieces with their scores, and what is done to a text first.

    ``characters`` is SentencePiece's compiled table of characters and their normal forms; with ``prefix`` a space is
    put before a text, with ``trimmed`` runs of spaces become one, and those at both ends none.
    """

    scores: Dict[str, float]
    characters: bytes
    prefix: bool
    trimmed: bool


def read_pieces(path: Path) -> Pieces:
    """Raises ValueError for a file that is no unigram model."""
    processor: Any = SentencePiece(path).processor
    content = message(path.read_bytes())
    trainer, normalizer = (message(bytes(content.get(part, b""))) for part in (TRAINER, NORMALIZER))  # type: ignore[arg-type]
    if trainer.get(MODEL_TYPE, UNIGRAM) != UNIGRAM:
        raise ValueError(f"{path} is not of SentencePiece's kind unigram, the only one that is turned into a tokenizer")
    scores = {processor.IdToPiece(row): processor.GetScore(row) for row in range(processor.GetPieceSize())}
    return Pieces(
        {piece: score for row, (piece, score) in enumerate(scores.items()) if not special(processor, row)},
        bytes(normalizer.get(CHARACTERS, b"")),  # type: ignore[arg-type]
        prefix=bool(normalizer.get(PREFIX, 1)),
        trimmed=bool(normalizer.get(EXTRA_SPACES, 1)),
    )


def special(processor: Any, row: int) -> bool:
    """Whether a piece stands for something that no text holds."""
    return bool(processor.IsUnknown(row) or processor.IsControl(row) or processor.IsUnused(row))


def message(content: bytes) -> Dict[int, Field]:
    """The fields of a protocol buffer by number, of repeated ones the last: numbers, or bytes."""
    fields: Dict[int, Field] = {}
    at = 0
    while at < len(content):
        tag, at = varint(content, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            fields[number], at = varint(content, at)
            continue
        size, at = {1: (8, at), 5: (4, at)}.get(kind) or varint(content, at)
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
