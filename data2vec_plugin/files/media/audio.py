"""The only module that opens audio: headers, once they have been checked, and samples.

An entry of a list is a path, or ``archive.zip:offset:length`` of fairseq's manifests: bytes of a stored zip archive.
"""

from __future__ import annotations

import io
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Iterator, Optional, Tuple, Union

import numpy as np
from numpy.typing import NDArray

from ..opening import opened, read_part, said_size, size_of
from ..unusable import UnusableFileError

if TYPE_CHECKING:
    import soundfile

ENDINGS = (".aif", ".aiff", ".au", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".wav")
"""Endings of the files that are listed; the format is determined by their content."""

FRAMES_IN_A_BYTE = 1024
"""A header that claims more is not believed: digital silence, which packs best, takes FLAC a byte for 320 samples."""
VALUES_IN_A_BYTE = 64
ALWAYS_ALLOWED = 1 << 25
"""Values (samples of all channels) that any file may hold, 128 MiB as they are read; above, 64 for each of its bytes,
which is what the barest speech codec needs at 48 kHz."""
EMPTY = "cannot be read (empty)"
UNKNOWN = (1 << 63) - 1
"""libsndfile's number of frames for a stream that does not say how long it is."""
BLOCK = 1 << 16
"""Samples of a channel that are read at a time: 4 s at 16 kHz."""


class UnknownFormatError(UnusableFileError):
    """libsndfile does not read a file; another program may."""


@dataclass(frozen=True)
class AudioInfo:
    """What an audio file's header says."""

    frames: int
    """Samples of one channel."""
    sample_rate: int
    channels: int


def read_info(entry: str) -> AudioInfo:
    """Read a file's length, rate and channels; raises :class:`UnusableFileError` for a header that cannot be true."""
    with _opened(entry) as sound:
        return AudioInfo(sound.frames, sound.samplerate, sound.channels)


def read_samples(entry: str, start: int = 0, frames: int = -1) -> Tuple[NDArray[np.float32], int]:
    """Read samples (frames, channels) from ``start`` on, all by default, and their rate in Hz.

    There may be fewer than the header says. Raises :class:`UnusableFileError` for a file that is not audio.
    """
    import soundfile

    with _opened(entry) as sound:
        try:
            if start:
                sound.seek(start)
            samples = sound.read(frames, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise _unreadable(entry, error) from error
        return samples, sound.samplerate


def read_blocks(entry: str, frames: int = BLOCK) -> Iterator[NDArray[np.float32]]:
    """Yield all samples of a file, of any length, in pieces of (``frames``, channels), fewer in the last.

    Raises as :func:`read_samples` does; a file may turn out unreadable after some pieces.
    """
    import soundfile

    with _opened(entry) as sound:
        while True:
            try:
                samples = sound.read(frames, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                raise _unreadable(entry, error) from error
            if len(samples) == 0:
                return
            yield samples


@contextmanager
def _opened(entry: str) -> Iterator[soundfile.SoundFile]:
    """An opened entry whose header has been checked; the file is closed afterwards."""
    import soundfile

    with _bytes_of(entry) as (file, size):
        if size == 0:
            raise UnusableFileError.of(entry, EMPTY)
        try:
            # libsndfile reads a descriptor itself, and from memory by calling back; it gets a descriptor of its own,
            # because 1.2.0 also closes one that it should not if it cannot read the file
            source: Union[int, BinaryIO] = file if isinstance(file, io.BytesIO) else os.dup(file.fileno())
            sound = soundfile.SoundFile(source, closefd=True)
        except soundfile.LibsndfileError as error:
            raise _unreadable(entry, error) from error
        with sound:
            _check_claim(entry, sound, size)
            yield sound


def _check_claim(entry: str, sound: soundfile.SoundFile, size: int) -> None:
    """Refuse a length that so few bytes cannot hold, or that would fill the memory."""
    if sound.frames == UNKNOWN:
        raise UnknownFormatError.of(entry, "is a stream without a length in its header; convert it to a regular file")
    values = sound.frames * sound.channels
    if sound.frames > FRAMES_IN_A_BYTE * size or values > max(ALWAYS_ALLOWED, VALUES_IN_A_BYTE * size):
        hours = sound.frames / max(sound.samplerate, 1) / 3600
        raise UnusableFileError.of(
            entry,
            f"the header claims {hours:.0f} h, but the file has {said_size(size)} ({sound.frames:,} samples, "
            f"channels: {sound.channels})",
        )


@contextmanager
def _bytes_of(entry: str) -> Iterator[Tuple[BinaryIO, int]]:
    """Open a file, or the part of an archive, and give it with its size in bytes."""
    path, place = split_entry(entry)
    if place is None:
        with opened(path) as file:
            yield file, size_of(file)
        return
    try:
        content = read_part(path, *place)
    except UnusableFileError as error:
        raise _explained(entry, path, error.fault) from error
    yield io.BytesIO(content), len(content)


def split_entry(entry: str) -> Tuple[str, Optional[Tuple[int, int]]]:
    """Return the file of an entry, and offset and length of the audio in bytes, or None for the whole file.

    If a file exists whose name looks like a part of an archive, that file is used.
    """
    path, *numbers = entry.rsplit(":", 2)
    if len(numbers) != 2 or not all(number.isdecimal() and number.isascii() for number in numbers):
        return entry, None
    if os.path.lexists(entry):
        return entry, None
    return path, (int(numbers[0]), int(numbers[1]))


def _unreadable(entry: str, error: soundfile.LibsndfileError) -> UnusableFileError:
    path, place = split_entry(entry)
    fault = f"cannot be read ({error.error_string.rstrip('.')})"
    return UnknownFormatError.of(entry, fault) if place is None else _explained(entry, path, fault)


def _explained(entry: str, path: str, fault: str) -> UnusableFileError:
    """Add what an entry's numbers mean, for users who meant them as samples."""
    if path.lower().endswith(ENDINGS):
        fault += (
            "; the numbers after the name are the offset and length in bytes of a file in an uncompressed zip "
            "archive, not samples: to use a part of a recording, cut it out first"
        )
    return UnusableFileError.of(entry, fault)
