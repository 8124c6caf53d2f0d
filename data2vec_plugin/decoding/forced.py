"""Forced alignment: the likeliest path of a given text through emissions, as frames of each token (Viterbi for CTC).

The states are those of Graves et al. (2006): the text's tokens with blanks before, between and after them. A blank may
be skipped unless it separates two equal tokens.
"""

from __future__ import annotations

import math
import warnings
from typing import Any, List, Optional, Sequence, Tuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .decoded import Decoded, runs

Floats = NDArray[np.float64]
Rows = Tuple[Floats, Floats]
"""Best log-probability of a path that ends at each of N tokens, and at each of N + 1 blanks."""

KEPT = 1 << 23
"""float64 numbers kept for a long recording, 64 MiB: its best scores at regular checkpoints."""
MOST_CELLS = 1 << 29
"""States times frames up to which torchaudio aligns, since it stores a step for each of them."""
STAY, NEXT, SKIP = 0, 1, 2


class UnalignableError(ValueError):
    """A text that cannot be aligned with its recording."""


def align(emissions: Tensor, tokens: Sequence[int], blank: int) -> Decoded:
    """The text as a hypothesis for its recording, each token with its frames; see :func:`best_path`.

    ``score`` is the log-probability of the whole path.
    """
    return along(best_path(emissions, tokens, blank), emissions, blank)


def best_path(emissions: Tensor, tokens: Sequence[int], blank: int) -> List[int]:
    """The symbol of each frame, (T,), on the likeliest path of a text.

    Args:
        emissions: (T, V) log-probabilities, on the CPU.
        tokens: (N,) rows of the dictionary without blanks; at least one.
        blank: the row of CTC's blank.

    Raises:
        UnalignableError: there are fewer frames than tokens (and blanks between equal ones), or no path is possible.
    """
    frames, symbols = emissions.shape
    if not tokens or blank in tokens or not all(0 <= token < symbols for token in tokens):
        raise ValueError(f"expected tokens from 0 to {symbols - 1} without the blank, {blank}; got {list(tokens)[:10]}")
    needed = fewest_frames(tokens)
    if needed > frames:
        raise UnalignableError(f"{frames} frames of audio, but its text of {len(tokens)} symbols needs {needed}")
    functional = _functional() if frames * (2 * len(tokens) + 1) <= MOST_CELLS else None
    if functional is None:
        return viterbi(emissions.double().numpy(), np.asarray(tokens), blank)
    return _by_torchaudio(functional, emissions, tokens, blank)


def fewest_frames(tokens: Sequence[int]) -> int:
    """Frames that a text needs: one per token, and one between equal ones."""
    return len(tokens) + sum(left == right for left, right in zip(tokens, tokens[1:]))


def along(path: Sequence[int], emissions: Tensor, blank: int) -> Decoded:
    """The hypothesis of a path of T symbols, blanks included."""
    said = [run for run in runs(list(path)) if run[0] != blank]
    starts = [start for _, start, _ in said]
    scores = emissions[torch.arange(len(path)), torch.as_tensor(path)].double()
    if not bool(torch.isfinite(scores).all()):
        raise UnalignableError("its text holds a symbol that the model never says")
    return Decoded(
        tokens=[token for token, _, _ in said],
        frames=starts,
        ends=[end for _, _, end in said],
        scores=scores[starts].tolist(),
        score=float(scores.sum()),
    )


def _functional() -> Optional[Any]:
    """torchaudio's functions; None if no torchaudio is installed that loads and aligns."""
    try:
        import torchaudio.functional as functional
    except (ImportError, OSError, RuntimeError):  # built for another torch
        return None
    return functional if hasattr(functional, "forced_align") else None


def _by_torchaudio(functional: Any, emissions: Tensor, tokens: Sequence[int], blank: int) -> List[int]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some releases mark it as deprecated
        path, _ = functional.forced_align(emissions.double()[None], torch.tensor([list(tokens)]), blank=blank)
    found: List[int] = path[0].tolist()
    return found


def viterbi(emissions: Floats, tokens: NDArray[np.int64], blank: int) -> List[int]:
    """The symbol of each frame, (T,); of equally likely paths, the one that moves on last.

    Memory does not grow with frames times tokens: the best scores are stored at checkpoints only. Going back, the steps
    between two checkpoints are computed again, for the few states that can lead to where the path continues.
    """
    frames, count = len(emissions), len(tokens)
    stride = max(math.isqrt(frames) + 1, frames * (2 * count + 1) // KEPT + 1)
    repeats = np.append([True], tokens[1:] == tokens[:-1])
    kept = [_first(emissions[0], tokens, blank)]
    rows = kept[0]
    for frame in range(1, frames):
        if frame % stride == 0:
            kept.append(rows)
        rows = _step(rows, emissions[frame], tokens, repeats, blank)
    ends_blank = bool(rows[1][-1] > rows[0][-1])
    state = 2 * count if ends_blank else 2 * count - 1
    if not np.isfinite(rows[1][-1] if ends_blank else rows[0][-1]):
        raise UnalignableError("its text holds a symbol that the model never says")
    path: List[int] = []
    for index in range(len(kept) - 1, -1, -1):
        # the row stored at index > 0 is that of the previous frame
        begin, end = max(index * stride, 1), min((index + 1) * stride, frames)
        states = _way_back(kept[index], emissions[begin:end], tokens, repeats, blank, state)
        path += [blank if state % 2 == 0 else int(tokens[state // 2]) for state in states[:-1]]
        state = states[-1]
    path.append(blank if state % 2 == 0 else int(tokens[state // 2]))
    return path[::-1]


def _first(frame: Floats, tokens: NDArray[np.int64], blank: int) -> Rows:
    """After the first frame: the first blank or the first token."""
    of_tokens, of_blanks = np.full(len(tokens), -np.inf), np.full(len(tokens) + 1, -np.inf)
    of_tokens[0], of_blanks[0] = frame[tokens[0]], frame[blank]
    return of_tokens, of_blanks


def _step(rows: Rows, frame: Floats, tokens: NDArray[np.int64], repeats: NDArray[np.bool_], blank: int) -> Rows:
    """Scores one frame (V,) later."""
    of_tokens, of_blanks = rows
    best = np.maximum(of_tokens, of_blanks[:-1])
    best[1:] = np.maximum(best[1:], np.where(repeats[1:], -np.inf, of_tokens[:-1]))
    blanks = of_blanks.copy()
    np.maximum(blanks[1:], of_tokens, out=blanks[1:])
    return best + frame[tokens], blanks + frame[blank]


def _way_back(
    rows: Rows,
    emissions: Floats,
    tokens: NDArray[np.int64],
    repeats: NDArray[np.bool_],
    blank: int,
    state: int,
) -> List[int]:
    """States from the one before the first of these frames to ``state``, after the last: (frames + 1,)."""
    # a frame advances by at most two states, which is one token
    low, high = max(state // 2 - len(emissions) - 1, 0), min(state // 2 + 1, len(tokens))
    part = slice(low, high)
    here: Rows = (rows[0][part], rows[1][low : high + 1])
    moves: List[Tuple[NDArray[np.int8], NDArray[np.bool_]]] = []
    for frame in emissions:
        of_tokens, of_blanks = here
        skipped = np.append([-np.inf], np.where(repeats[part][1:], -np.inf, of_tokens[:-1]))
        step = np.where(of_blanks[:-1] > of_tokens, NEXT, STAY).astype(np.int8)
        step[skipped > np.maximum(of_tokens, of_blanks[:-1])] = SKIP
        moves.append((step, np.append([False], of_tokens > of_blanks[1:])))
        here = _step(here, frame, tokens[part], repeats[part], blank)
    states = [state]
    for step, blanks in reversed(moves):
        at = state // 2 - low
        state -= int(step[at]) if state % 2 else int(blanks[at])
        states.append(state)
    return states
