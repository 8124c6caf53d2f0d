"""A recording of any length as its recogniser hears it: emissions, the time of each frame, and pauses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, List, Optional, Tuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..recognition.pieces.cutting import Cutting, Frames, Piece, pieces
from ..recognition.pieces.listening import Samples, Source, listen
from ..recognition.pieces.pauses import Loudness, Values
from ..recognition.recogniser import Recogniser

Seconds = Tuple[float, float]
TOGETHER = 4
"""Pieces per batch."""


@dataclass(frozen=True)
class Heard:
    """Emissions (T, V), the middle of each frame in seconds (T,), pauses in seconds, and the recording's length."""

    emissions: Tensor
    middles: NDArray[np.float64]
    pauses: List[Seconds]
    seconds: float


def hear(recogniser: Recogniser, source: Source, cutting: Optional[Cutting] = None) -> Heard:
    """Read a file, or samples at the recogniser's rate; only a few pieces of audio, and all emissions, are in memory.

    Raises UnusableFileError for a file that cannot be read to its end, ValueError if it is shorter than a frame.
    """
    rate = recogniser.sample_rate
    loudness, values = Loudness(rate), [np.zeros(0, np.float32)]
    frames = Frames(rate, recogniser.hop, recogniser.shortest)
    cut = pieces(_overheard(listen(source, rate), loudness, values), frames, cutting or Cutting())
    emissions: List[Tensor] = []
    middles: List[NDArray[np.float64]] = []
    for group in _groups(cut):
        for piece, found in zip(group, recogniser.emissions([piece.samples for piece in group])):
            emissions.append(found[piece.first : piece.first + piece.count])
            samples = piece.start + recogniser.hop * np.arange(len(emissions[-1]))
            middles.append((samples + recogniser.shortest / 2) / rate)
    if not emissions:
        raise ValueError("holds no audio, or less than one frame of it")
    whole = np.concatenate(values)
    step = loudness.step / rate
    pauses = [(start * step, end * step) for start, end in loudness.pauses(whole)]
    return Heard(torch.cat(emissions), np.concatenate(middles), pauses, len(whole) * step)


def _overheard(blocks: Iterator[Samples], loudness: Loudness, values: List[Values]) -> Iterator[Samples]:
    """Pass the blocks through, and record their loudness."""
    for block in blocks:
        values.append(loudness.values(block, last=False))
        yield block
    values.append(loudness.values(np.zeros(0, np.float32), last=True))


def _groups(cut: Iterator[Piece]) -> Iterator[List[Piece]]:
    group: List[Piece] = []
    for piece in cut:
        group.append(piece)
        if len(group) == TOGETHER:
            yield group
            group = []
    if group:
        yield group
