"""Sound of any file that can be read here: by libsndfile, or else by ffmpeg."""

from __future__ import annotations

from typing import Iterator

import numpy as np
from numpy.typing import NDArray

from . import audio, ffmpeg
from .audio import BLOCK, AudioInfo, UnknownFormatError

WITHOUT = "ffmpeg, which reads m4a, mp4 and video, is not on the PATH"


def sound_info(path: str) -> AudioInfo:
    """Read length, rate and channels; 0 frames if a video does not state its length.

    Raises UnusableFileError if neither can read the file.
    """
    try:
        return audio.read_info(path)
    except UnknownFormatError as error:
        if ffmpeg.is_there():
            return ffmpeg.info_by_ffmpeg(path)
        raise UnknownFormatError.of(path, f"{error.fault}; {WITHOUT}") from error


def sound_blocks(path: str, frames: int = BLOCK) -> Iterator[NDArray[np.float32]]:
    """Return samples (frames, channels) piece by piece, at the rate of :func:`sound_info`; raises as that does."""
    try:
        audio.read_info(path)
    except UnknownFormatError:
        if not ffmpeg.is_there():
            raise
        return ffmpeg.blocks_by_ffmpeg(path, frames)
    return audio.read_blocks(path, frames)
