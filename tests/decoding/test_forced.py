"""The likeliest way to say a text: by trying all ways, by torchaudio, in whatever memory, and what cannot be said."""

from __future__ import annotations

import itertools
from typing import Any, Iterator, List, Tuple

import numpy as np
import pytest
import torch
from torch import Tensor

from data2vec_plugin.decoding import forced

BLANK = 0


def emissions(frames: int, symbols: int = 5, seed: int = 0) -> Tensor:
    return torch.randn(frames, symbols, generator=torch.Generator().manual_seed(seed)).mul(3).log_softmax(-1)


def read(path: Tuple[int, ...]) -> List[int]:
    return [symbol for symbol, _ in itertools.groupby(path) if symbol != BLANK]


def texts(count: int, most: int) -> Iterator[Tuple[int, List[int], Tensor]]:
    rng = np.random.default_rng(3)
    for trial in range(count):
        frames = int(rng.integers(2, most))
        tokens = rng.integers(1, 4, int(rng.integers(1, 1 + frames // 2))).tolist()
        if forced.fewest_frames(tokens) <= frames:
            yield frames, tokens, emissions(frames, 4, trial)


def test_no_other_way_is_likelier() -> None:
    for frames, tokens, scores in texts(12, 7):
        ways = [way for way in itertools.product(range(4), repeat=frames) if read(way) == tokens]
        totals = [float(sum(scores[at, symbol].double() for at, symbol in enumerate(way))) for way in ways]
        found = forced.viterbi(scores.double().numpy(), np.asarray(tokens), BLANK)
        assert tuple(found) == ways[int(np.argmax(totals))]
        assert forced.align(scores, tokens, BLANK).score == pytest.approx(max(totals))


@pytest.mark.parametrize("kept", [8, 64, 1 << 23])
def test_ours_is_torchaudios_however_little_is_kept(kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    functional = pytest.importorskip("torchaudio.functional")
    if not hasattr(functional, "forced_align"):
        pytest.skip("torchaudio before 2.1")
    monkeypatch.setattr(forced, "KEPT", kept)
    for _, tokens, scores in texts(40, 60):
        ours = forced.viterbi(scores.double().numpy(), np.asarray(tokens), BLANK)
        assert ours == forced._by_torchaudio(functional, scores, tokens, BLANK)


def test_without_torchaudio_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, tokens = emissions(50), [1, 1, 2, 3, 3, 4]
    found = forced.align(scores, tokens, BLANK)
    monkeypatch.setattr(forced, "_functional", lambda: None)
    assert forced.align(scores, tokens, BLANK) == found
    assert found.tokens == tokens
    assert all(start < end <= after for start, end, after in zip(found.frames, found.ends, [*found.frames[1:], 50]))


def test_memory_does_not_grow_with_frames_times_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forced, "KEPT", 1 << 14)
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(2000, 5))
    kept: List[int] = []
    way_back = forced._way_back

    def noted(rows: forced.Rows, part: forced.Floats, *rest: Any) -> List[int]:
        kept.append(len(part))
        return way_back(rows, part, *rest)

    monkeypatch.setattr(forced, "_way_back", noted)
    forced.viterbi(scores, rng.integers(1, 5, 400), BLANK)
    assert len(kept) * 801 <= 2 * (1 << 14)


def test_what_cannot_be_said_is_told() -> None:
    with pytest.raises(forced.UnalignableError, match="2 frames of audio, but its text of 2 symbols needs 3"):
        forced.align(emissions(2), [1, 1], BLANK)
    never = emissions(10)
    never[:, 2] = -torch.inf
    with pytest.raises(forced.UnalignableError, match="never says"):
        forced.align(never, [1, 2], BLANK)
    with pytest.raises(ValueError, match="without the blank"):
        forced.align(emissions(10), [0, 1], BLANK)
