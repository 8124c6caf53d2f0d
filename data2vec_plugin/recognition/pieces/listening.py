"""Reads a file of any length block by block, as one channel at one sample rate."""

from __future__ import annotations

import os
from typing import Iterator, Union

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ...data.audio.clips import TRUNCATED
from ...files.media.audio import BLOCK
from ...files.media.sounds import sound_blocks, sound_info
from ...files.unusable import UnusableFileError

Samples = NDArray[np.float32]
Source = Union[str, "os.PathLike[str]", Samples, Tensor]
"""A file, or a waveform (samples,) at the model's rate."""


def listen(source: Source, rate: int) -> Iterator[Samples]:
    """Samples (samples,) of a source at ``rate``, channels averaged, in blocks.

    Raises UnusableFileError for a file that cannot be read to its end, is shorter than its header states, or holds
    values that are not finite.
    """
    if isinstance(source, (str, os.PathLike)):
        return _resampled(os.fspath(source), rate)
    return iter([np.asarray(source, dtype=np.float32)])


def seconds_of(source: Source, rate: int) -> float:
    """The length that a source states; 0 if it states none. Raises UnusableFileError as :func:`listen` does."""
    if not isinstance(source, (str, os.PathLike)):
        return len(source) / rate
    info = sound_info(os.fspath(source))
    return info.frames / info.sample_rate


def _resampled(path: str, rate: int) -> Iterator[Samples]:
    """The blocks of a file at another rate; the rest in the filter comes last."""
    info = sound_info(path)
    if info.sample_rate == rate:
        yield from _mono(path, info.frames)
        return
    import soxr

    stream = soxr.ResampleStream(info.sample_rate, rate, 1, dtype="float32")
    for block in _mono(path, info.frames):
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def _mono(path: str, stated: int) -> Iterator[Samples]:
    """The mean of the channels, (samples,)."""
    count = 0
    for samples in sound_blocks(path, BLOCK):
        block = samples[:, 0] if samples.shape[1] == 1 else samples.mean(1, dtype=np.float32)
        if not np.isfinite(block).all():
            raise UnusableFileError.of(path, "holds NaN or infinite samples")
        count += len(block)
        yield np.ascontiguousarray(block)
    if count < TRUNCATED * stated:
        raise UnusableFileError.of(path, f"{count} of {stated} samples: the file is truncated")
