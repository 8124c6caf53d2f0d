"""Words of a decoding result: the tokens of each, its time, and the model's confidence."""

import math
from dataclasses import dataclass
from typing import Iterator, List, Sequence, Tuple

from .decoded import Decoded

PIECE = "▁"
"""SentencePiece's mark for the beginning of a word."""
NO_TEXT = {"<s>", "</s>", "<pad>"}
"""Symbols of fairseq's dictionaries that stand for no speech."""

Span = Tuple[int, int]
"""First token of a word, and the one after its last."""


@dataclass(frozen=True)
class Word:
    """A word with its times in frames, and a confidence from 0 to 1."""

    text: str
    start: int
    end: int
    """The frame after its last."""
    confidence: float
    """exp(mean log-probability of its tokens), each at its first frame."""


def words_of(decoded: Decoded, symbols: Sequence[str], boundary: str = "|") -> List[Word]:
    """Words of a hypothesis; ``symbols`` are the dictionary's rows.

    Letters are joined up to the next ``boundary``, SentencePiece's pieces up to the next one that begins with ``▁``. A
    dictionary with neither does not show where words begin: if all its symbols are single letters, the whole
    hypothesis is one word; if one is longer, as in a dictionary of words, each symbol is a word. If the hypothesis has
    words of a lexicon, those are used instead.
    """
    if decoded.words is not None and decoded.word_ends is not None:
        spans = list(zip([0, *decoded.word_ends], decoded.word_ends))
        texts: List[str] = decoded.words
    else:
        spans = list(spans_of([symbols[token] for token in decoded.tokens], symbols, boundary))
        texts = ["".join(symbols[token] for token in spoken(decoded, span, symbols, boundary)) for span in spans]
    found = []
    for text, span in zip(texts, spans):
        tokens = [at for at in range(*span) if symbols[decoded.tokens[at]] not in {boundary, *NO_TEXT}]
        if tokens and text.strip(PIECE):
            found.append(_word(decoded, text.replace(PIECE, " ").strip(), tokens))
    return found


def texts_of(read: List[str], symbols: Sequence[str], boundary: str = "|") -> List[str]:
    """Words of the symbols ``read``, such as those of a label; see :func:`words_of`."""
    kept = (
        [symbol for symbol in read[slice(*span)] if symbol not in {boundary, *NO_TEXT}]
        for span in spans_of(read, symbols, boundary)
    )
    return [text for text in ("".join(each).replace(PIECE, " ").strip() for each in kept) if text]


def spoken(decoded: Decoded, span: Span, symbols: Sequence[str], boundary: str = "|") -> List[int]:
    """Tokens of a span that are more than boundary marks."""
    return [token for token in decoded.tokens[slice(*span)] if symbols[token] not in {boundary, *NO_TEXT}]


def spans_of(read: List[str], symbols: Sequence[str], boundary: str) -> Iterator[Span]:
    """Spans of the words in the symbols ``read``; see :func:`words_of`."""
    if boundary in symbols:
        cuts = [at + 1 for at, symbol in enumerate(read) if symbol == boundary]
    elif any(symbol.startswith(PIECE) for symbol in symbols):
        cuts = [at for at, symbol in enumerate(read) if symbol.startswith(PIECE)]
    elif all(len(symbol) == 1 for symbol in symbols if not is_special(symbol)):
        cuts = []
    else:
        cuts = list(range(len(read)))
    edges = sorted({0, *cuts, len(read)})
    return zip(edges, edges[1:])


def is_special(symbol: str) -> bool:
    """Whether fairseq itself added a symbol: ``<s>``, ``<unk>``, ``madeupword0001``."""
    return (symbol.startswith("<") and symbol.endswith(">")) or symbol.startswith("madeupword")


def _word(decoded: Decoded, text: str, tokens: List[int]) -> Word:
    mean = sum(decoded.scores[at] for at in tokens) / len(tokens)
    return Word(text, decoded.frames[tokens[0]], decoded.ends[tokens[-1]], min(1.0, math.exp(mean)))
