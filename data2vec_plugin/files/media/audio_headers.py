"""Audio files on disk: what their headers say, and copies of them at another sample rate."""

import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable, Optional, TypeVar

from ..unusable import UnusableFileError
from .audio import EMPTY, read_info, read_samples

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Source:
    """An audio file to be listed: its path, its name below the root, and its split if known."""

    file: Path
    name: str
    split: Optional[str] = None


@dataclass(frozen=True)
class Header:
    """What an audio file's header says, or why the file cannot be listed."""

    source: Source
    frames: int = 0
    sample_rate: int = 0
    channels: int = 0
    fault: str = ""


def read_headers(sources: list[Source], threads: int, decode: bool) -> list[Header]:
    """Open every file, several at a time, in the order given."""

    def read(source: Source) -> Header:
        return read_header(source, decode)

    return in_threads(read, sources, threads, "read headers")


def read_header(source: Source, decode: bool = False) -> Header:
    """Read a file's length, rate and channels without its samples, unless `decode`."""
    if set(source.name) & set("\t\r\n") or source.name != source.name.strip():
        return Header(source, fault="has a tab, a line break or a leading or trailing space in its name")
    if not is_utf8(source.name):
        return Header(source, fault="has a name that is not UTF-8, which manifests require")
    try:
        info = read_info(str(source.file))
        frames = len(read_samples(str(source.file))[0]) if decode else info.frames
    except UnusableFileError as error:
        return Header(source, fault="empty" if error.fault == EMPTY else error.fault)
    if frames == 0:
        return Header(source, fault="empty")
    if frames != info.frames:
        return Header(source, fault=f"truncated ({frames} of {info.frames} samples)")
    return Header(source, info.frames, info.sample_rate, info.channels)


def is_utf8(name: str) -> bool:
    """Whether a manifest can hold a name: bytes on disk that are not UTF-8 become lone surrogates in Python."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def in_threads(call: Callable[[Item], Result], items: Sequence[Item], threads: int, title: str) -> list[Result]:
    """Apply `call` to the items, several at a time, with a progress bar; keep their order."""
    from tqdm import tqdm

    with ThreadPoolExecutor(max(threads, 1)) as pool:
        return list(tqdm(pool.map(call, items), title, len(items), unit="file"))


def resample_all(headers: list[Header], out: Path, rate: int, threads: int) -> tuple[Path, list[Header]]:
    """Write every file as mono FLAC at `rate` below `out`, with its transcript next to it.

    Raises:
        ValueError: a file is outside the root, or two differ in their extension only.
    """
    out = out.resolve()

    def convert(header: Header) -> Header:
        return resample(header, out, rate)

    names: dict[str, str] = {}
    for header in headers:
        name = header.source.name
        if Path(name).is_absolute():
            raise ValueError(f"--resample-to: {name} is outside the root; use a DIR that contains all files")
        twin = names.setdefault(str(Path(name).with_suffix("")), name)
        if twin != name:
            raise ValueError(f"--resample-to: {twin} and {name} would become one file; rename one")
    return out, in_threads(convert, headers, threads, f"resample to {rate} Hz")


def resample(header: Header, out: Path, rate: int) -> Header:
    """Write one file as mono FLAC at `rate` (Hz) below `out`; return the copy's header.

    A file that cannot be read, or would have no samples left, is not written: a header with its fault is returned.
    """
    import soundfile
    import soxr  # works with any torch; torchaudio has no release for torch 2.12 and later

    name = Path(header.source.name).with_suffix(".flac")
    source, target = header.source.file, out / name
    try:
        samples, _ = read_samples(str(source))
    except UnusableFileError as error:  # its header was whole
        return Header(header.source, fault=error.fault)
    mono = soxr.resample(samples.mean(1), header.sample_rate, rate).clip(-1, 1)
    if len(mono) == 0:
        return Header(header.source, fault=f"empty at {rate} Hz")
    target.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(str(target), mono, rate)
    for text in (source.with_suffix(".txt"), *source.parent.glob("*.trans.txt")):
        if text.is_file() and not (target.parent / text.name).exists():
            shutil.copyfile(text, target.parent / text.name)
    copied = replace(header.source, file=target, name=name.as_posix())
    return Header(copied, len(mono), rate, 1)
