"""Words of a reading: letters, SentencePiece's units, words, a lexicon's."""

import math
from typing import Any, List, Sequence

import pytest

from data2vec_plugin.decoding.decoded import Decoded, runs
from data2vec_plugin.decoding.words import Word, words_of

LETTERS = ["<s>", "<pad>", "</s>", "<unk>", "|", "A", "B"]
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁HE", "LLO", "▁"]
WORDS = ["<s>", "<pad>", "</s>", "<unk>", "ONE", "TWO"]
BARE = ["<s>", "<pad>", "</s>", "<unk>", "x", "y"]


def reading(symbols: Sequence[str], read: Sequence[str], **more: Any) -> Decoded:
    tokens = [symbols.index(symbol) for symbol in read]
    frames = [3 * at for at in range(len(tokens))]
    scores = [math.log(0.5)] * len(tokens)
    return Decoded(tokens, frames, [frame + 2 for frame in frames], scores, sum(scores), **more)


def texts(words: List[Word]) -> List[str]:
    return [word.text for word in words]


def test_letters_are_joined_at_the_boundary() -> None:
    words = words_of(reading(LETTERS, "AB|B|"), LETTERS)
    assert [(word.text, word.start, word.end) for word in words] == [("AB", 0, 5), ("B", 9, 11)]
    assert [word.confidence for word in words] == pytest.approx([0.5, 0.5])


def test_boundaries_without_letters_are_no_words() -> None:
    assert texts(words_of(reading(LETTERS, "||A||"), LETTERS)) == ["A"]
    assert words_of(reading(LETTERS, ""), LETTERS) == []


def test_marks_of_fairseq_are_not_said() -> None:
    assert texts(words_of(reading(LETTERS, ["A", "</s>", "|", "</s>"]), LETTERS)) == ["A"]
    assert texts(words_of(reading(LETTERS, ["A", "<unk>", "|"]), LETTERS)) == ["A<unk>"]


@pytest.mark.parametrize(
    ("symbols", "read", "expected"),
    [
        (PIECES, ["▁HE", "LLO", "▁", "LLO", "▁HE"], ["HELLO", "LLO", "HE"]),
        (WORDS, ["ONE", "ONE", "TWO"], ["ONE", "ONE", "TWO"]),
        (BARE, ["x", "y", "y"], ["xyy"]),
    ],
)
def test_dictionaries_without_a_boundary(symbols: List[str], read: List[str], expected: List[str]) -> None:
    assert texts(words_of(reading(symbols, read), symbols)) == expected


def test_words_of_a_lexicon_are_its_own() -> None:
    decoded = reading(BARE, ["x", "y", "y"], words=["eks", "why"], word_ends=[1, 3])
    assert [(word.text, word.start, word.end) for word in words_of(decoded, BARE)] == [("eks", 0, 2), ("why", 3, 8)]


def test_runs_cover_the_path() -> None:
    assert runs([7, 7, 0, 7]) == [(7, 0, 2), (0, 2, 3), (7, 3, 4)]
    assert runs([]) == []
