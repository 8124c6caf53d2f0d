"""The sound of files that libsndfile does not read (m4a, mp4, video), by the program `ffmpeg` if it is on the PATH."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import tempfile
from contextlib import contextmanager
from typing import IO, Iterator, List, Optional

import numpy as np
from numpy.typing import NDArray

from ..opening import opened
from ..unusable import UnusableFileError
from .audio import BLOCK, AudioInfo

ENDINGS = (
    *(".3gp", ".aac", ".ac3", ".amr", ".ape", ".avi", ".flv", ".m4a", ".m4b", ".m4v", ".mka", ".mkv", ".mov", ".mp2"),
    *(".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".webm", ".wma", ".wmv", ".wv"),
)
"""Endings of the files that are listed for it; the format is determined by their content."""
HEADER = struct.Struct(">4s5I")
"""Header of Sun's AU: magic, offset of the samples, their size, their encoding, rate, channels."""
FLOAT32 = 6
"""AU's number for it; samples are big-endian."""
STREAM = re.compile(r"Stream #.*: Audio: .*?(\d+) Hz, ")
LENGTH = re.compile(r"Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)")
QUIET = ("-nostdin", "-hide_banner")
LOCAL = ("-protocol_whitelist", "file")
"""Prevents a playlist, whatever its ending, from fetching anything."""


def is_there() -> bool:
    """Whether the program is on the PATH."""
    return shutil.which("ffmpeg") is not None


def info_by_ffmpeg(path: str) -> AudioInfo:
    """Return length (0 if unknown) and rate, with one channel; raises UnusableFileError for a file without sound."""
    opened(path).close()
    done = subprocess.run(["ffmpeg", *QUIET, *LOCAL, "-i", f"file:{path}"], capture_output=True, check=False)
    said = done.stderr.decode("utf-8", "replace")
    stream, length = STREAM.search(said), LENGTH.search(said)
    if stream is None:
        raise UnusableFileError.of(path, _reason(said) if "Stream #" not in said else "has no audio stream")
    rate = int(stream[1])
    seconds = sum(float(part) * unit for part, unit in zip(length.groups(), (3600, 60, 1))) if length else 0.0
    return AudioInfo(round(seconds * rate), rate, 1)


def blocks_by_ffmpeg(path: str, frames: int = BLOCK) -> Iterator[NDArray[np.float32]]:
    """Yield the samples (frames, channels) of a file's first audio track piece by piece, at its own rate.

    Raises UnusableFileError if ffmpeg cannot read the file to its end.
    """
    opened(path).close()
    sound = ("-map", "0:a:0", "-c:a", "pcm_f32be", "-f", "au", "pipe:1")
    with _running(path, ["ffmpeg", *QUIET, "-v", "error", *LOCAL, "-i", f"file:{path}", *sound]) as output:
        start = output.read(HEADER.size)
        if len(start) < HEADER.size:
            return  # the exit code says why
        magic, offset, _, encoding, _, channels = HEADER.unpack(start)
        if magic != b".snd" or encoding != FLOAT32 or not channels:
            raise UnusableFileError.of(path, f"ffmpeg wrote something other than AU with floats ({start!r})")
        output.read(offset - HEADER.size)
        while piece := output.read(frames * channels * 4):
            whole = len(piece) // (4 * channels) * channels
            yield np.frombuffer(piece, ">f4", whole).astype(np.float32).reshape(-1, channels)


@contextmanager
def _running(path: str, command: List[str]) -> Iterator[IO[bytes]]:
    """Context with the output of a program, which ends with it; raises UnusableFileError if the program failed."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said)
        finished: Optional[int] = None
        try:
            yield process.stdout  # type: ignore[misc]
            finished = process.wait()
        finally:
            process.kill()
            process.communicate()
        if finished:
            said.seek(0)
            raise UnusableFileError.of(path, _reason(said.read().decode("utf-8", "replace")))


def _reason(said: str) -> str:
    """Return a fault with the last line of ffmpeg's messages."""
    lines = [line.strip() for line in said.splitlines() if line.strip() and "At least one output" not in line]
    return f"cannot be read, not even by ffmpeg ({lines[-1][:200] if lines else 'no message'})"
