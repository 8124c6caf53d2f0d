"""Emissions in pieces are read as they are at once: no word is doubled, cut or lost where pieces meet."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, List, Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from data2vec_plugin.decoding.greedy import GreedyCtcDecoder
from data2vec_plugin.recognition.pieces.cutting import Piece
from data2vec_plugin.recognition.transcription import segments
from data2vec_plugin.recognition.transcription.segments import SegmentReader

LETTERS = ["<s>", "<pad>", "</s>", "<unk>", "|", "A", "B"]
UNITS = ["<s>", "<pad>", "</s>", "<unk>", "▁A", "B", "▁B", "A"]
SIGNS = ["<s>", "<pad>", "</s>", "<unk>", "한", "국", "어"]
HOP, RATE = 20, 1000
SPOKEN = (0, 4, 5, 6)


def emitted(path: Sequence[int], columns: int) -> Tensor:
    """Log-probabilities whose best path is ``path``."""
    rows = torch.full((len(path), columns), -5.0)
    rows[torch.arange(len(path)), torch.tensor(path, dtype=torch.long)] = -0.1
    return rows.log_softmax(-1)


def recogniser(symbols: List[str]) -> Any:
    return SimpleNamespace(symbols=symbols, blank=0, sample_rate=RATE, hop=HOP)


def read(symbols: List[str], parts: Sequence[Sequence[int]], joined: bool = True, context: int = 0) -> Any:
    """The transcript of a path in pieces, of which each has ``context`` frames of something else on both sides."""
    reader = SegmentReader(recogniser(symbols), GreedyCtcDecoder(0))
    start = 0
    for number, part in enumerate(parts):
        piece = Piece(np.zeros(0, np.float32), start, context, len(part), joined=joined and number > 0)
        reader.take(piece, emitted([5] * context + list(part) + [6] * context, len(symbols)))
        start += len(part) * HOP
    reader.finish()
    return reader.transcript


@st.composite
def split_paths(draw: st.DrawFn) -> List[List[int]]:
    parts = st.lists(st.lists(st.sampled_from(SPOKEN), min_size=1, max_size=30), min_size=1, max_size=6)
    return draw(parts)


@given(split_paths(), st.sampled_from([LETTERS, UNITS, SIGNS]), st.integers(0, 3))
def test_joined_pieces_are_read_as_one(parts: List[List[int]], symbols: List[str], context: int) -> None:
    whole = [symbol for part in parts for symbol in part]
    assert read(symbols, parts, context=context).segments == read(symbols, [whole]).segments


@given(split_paths(), st.sampled_from([LETTERS, UNITS]))
@settings(max_examples=60)
def test_what_is_too_long_is_cut_between_words(parts: List[List[int]], symbols: List[str]) -> None:
    between = [4, 0] if symbols is LETTERS else [0, 4]
    path = [symbol for part in parts for symbol in [*part[:12], *between]]
    expected = read(symbols, [path]).words
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments, "LONGEST", 20 * HOP / RATE)
        found = read(symbols, [path[at : at + 5] for at in range(0, len(path), 5)])
    assert found.words == expected
    assert all(segment.end - segment.start <= 25 * HOP / RATE for segment in found.segments)


def test_pieces_that_a_pause_parts_are_segments() -> None:
    found = read(LETTERS, [[5, 6, 0], [0, 0], [6, 5, 5, 4]], joined=False)
    assert [(segment.start, segment.end) for segment in found.segments] == [(0.0, 0.06), (0.1, 0.18)]
    assert [(word.text, word.start, word.end) for word in found.words] == [("AB", 0.0, 0.04), ("BA", 0.1, 0.16)]
    assert found.text == "AB BA"


def test_endless_writing_without_blanks_is_cut_in_the_longest_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "LONGEST", 20 * HOP / RATE)
    path = [4, 5, 6, 4] * 3 + [0, 0, 0] + [6, 5] * 20
    found = read(SIGNS, [path[at : at + 5] for at in range(0, len(path), 5)])
    assert found.segments[0].end == 15 * HOP / RATE
    assert "".join(word.text for word in found.words) == "".join(word.text for word in read(SIGNS, [path]).words)


def test_a_reading_of_nothing_is_no_segment() -> None:
    assert read(LETTERS, [[0, 4, 0]]).segments == []
