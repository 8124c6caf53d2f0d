"""Raw text as fairseq's binaries: created on first use, stored next to the text, and reused while nothing has
changed."""

from __future__ import annotations

import hashlib
import logging
import os
import struct
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Callable, Iterator, List, Optional, Tuple

import numpy as np
import torch
from numpy.typing import NDArray

from ...files.content import content_digest
from ...files.text.text_lines import decoded, raw_lines
from ...files.unusable import UnusableFileError
from ...files.writing import replace_durably
from .subwords import Subwords

logger = logging.getLogger(__name__)

CHUNK = 2_000
"""Lines that one worker encodes at a time."""
ENDINGS = (".bin", ".idx")
"""Endings of the two files of fairseq's binaries."""
HEADER = 26
"""Bytes of an index without rows: a mark, a version, the kind of numbers, and how many rows there are."""
KNOWN = "texts.json"
"""Stored next to the binaries: digests of their texts, so that large texts are not read at each start."""
UNKNOWN = 0.05
"""With a larger share of unknown symbols, the dictionary is not the subword model's."""

Lines = List[Tuple[int, bytes]]
_encode: Optional[Callable[[Lines], Encoded]] = None


class Encoded:
    """Ids of a chunk of lines, one after another, the length of each line, and how many ids are unknown."""

    def __init__(self, rows: List[NDArray[np.int64]], unknown: int) -> None:
        self.lengths = np.array([len(row) for row in rows])
        self.ids = np.concatenate(rows)
        self.unknown = unknown


def binarised(path: Path, subwords: Subwords, dictionary: Any, folder: Path, settings: str, workers: int) -> Path:
    """Return the path, without ending, of a text file's binaries, which are created if they are not in ``folder`` yet.

    ``settings`` says how lines become symbols; with the text and the dictionary it decides whether the binaries
    are current. Raises :class:`UnusableFileError` for a text without words, a byte that is not UTF-8, or a dictionary
    that does not know its symbols.
    """
    if not path.is_file():
        raise UnusableFileError.of(
            path, f"no such file; `task.data` needs {path.stem}.txt (raw text) or {path.stem}.bin"
        )
    digest = text_digest(content_digest(path, folder / KNOWN), dictionary, settings)
    prefix = folder / f"{path.stem}-{digest}"
    fault = fault_of_binaries(prefix)
    if fault:
        if with_ending(prefix, ".idx").exists():
            logger.warning(f"{prefix}: {fault}; the binaries of {path} are created again")
        folder.mkdir(parents=True, exist_ok=True)
        _write(path, subwords, dictionary, prefix, workers)
    return prefix


def text_digest(content: str, dictionary: Any, settings: str) -> str:
    """Return twelve hexadecimal digits of the text's content, the dictionary's symbols and the settings."""
    symbols = hashlib.sha1("\n".join(dictionary.symbols).encode()).hexdigest()
    return hashlib.sha1(f"{content} {symbols} {settings}".encode()).hexdigest()[:12]


def fault_of_binaries(prefix: Path) -> str:
    """Return why binaries cannot be read (truncated, damaged or missing), or an empty string if they can."""
    from fairseq.data.indexed_dataset import MMapIndexedDataset

    data, index = (with_ending(prefix, ending) for ending in ENDINGS)
    missing = [path.name for path in (data, index) if not path.is_file()]
    if missing:
        return f"{' and '.join(missing)} is missing"
    if index.stat().st_size < HEADER:  # fairseq's reader complains of what it has not opened
        return f"{index.name} has {index.stat().st_size} bytes"
    try:
        found = MMapIndexedDataset.Index(str(index))
        rows = [(int(found._pointers[i]), int(found._sizes[i])) for i in (0, -1)] if len(found) else []
    except (AssertionError, ValueError, LookupError, OSError, struct.error) as error:
        return f"{index.name} is damaged ({error})"
    ends = [start + length * found.dtype().itemsize for start, length in rows] or [0]
    size = data.stat().st_size
    return "" if size == ends[-1] else f"{data.name} has {size:,} bytes, expected {ends[-1]:,}"


def with_ending(prefix: Path, ending: str) -> Path:
    """Append an ending to a path whose name may itself contain dots."""
    return prefix.with_name(prefix.name + ending)


def _write(path: Path, subwords: Subwords, dictionary: Any, prefix: Path, workers: int) -> None:
    """Encode line by line, with progress, and move the result to its final path when it is complete."""
    from fairseq.data.indexed_dataset import make_builder
    from tqdm import tqdm

    own = prefix.with_name(f"{prefix.name}.{os.getpid()}")
    try:
        builder = make_builder(str(with_ending(own, ".bin")), impl="mmap", vocab_size=len(dictionary))
        lines = empty = symbols = unknown = 0
        with tqdm(total=path.stat().st_size, unit="B", unit_scale=True, desc=f"encode {path.name}") as bar:
            for size, encoded in _encoded(path, subwords, dictionary, workers):
                for row in np.split(encoded.ids, np.cumsum(encoded.lengths)[:-1]):
                    builder.add_item(torch.from_numpy(row))
                lines += len(encoded.lengths)
                empty += int((encoded.lengths == 1).sum())
                symbols += int(encoded.lengths.sum())
                unknown += encoded.unknown
                bar.update(size)
        _check(path, lines, empty, symbols, unknown)
        builder.finalize(str(with_ending(own, ".idx")))
        for ending in ENDINGS:
            replace_durably(with_ending(own, ending), with_ending(prefix, ending))
    finally:
        for ending in ENDINGS:
            with_ending(own, ending).unlink(missing_ok=True)
    logger.info(f"{path}: {lines:,} lines ({empty:,} empty), {symbols:,} symbols, {unknown:,} unknown")


def _check(path: Path, lines: int, empty: int, symbols: int, unknown: int) -> None:
    if lines == empty:
        raise UnusableFileError.of(path, f"has no text: {lines} lines, all of them empty")
    words = symbols - lines  # every line ends with a symbol of its own
    if unknown > UNKNOWN * words:
        raise UnusableFileError.of(
            path,
            f"{100 * unknown / words:.0f} % of its symbols are not in dict.txt, which was probably made for another "
            "subword model or language; create one with `data2vec subwords`, or set `task.bpe`",
        )


def _encoded(path: Path, subwords: Subwords, dictionary: Any, workers: int) -> Iterator[Tuple[int, Encoded]]:
    """Yield (bytes read, their ids) by chunk, in order; ``workers`` processes encode, or this one if it is 0."""
    encode = _Encoder(path, subwords, dictionary)
    chunks = _chunks(path)
    if workers < 1:
        for chunk in chunks:
            yield sum(len(line) for _, line in chunk), encode(chunk)
        return
    with get_context("fork").Pool(workers, _keep, (encode,)) as pool:
        yield from pool.imap(_work, chunks)


def _keep(encode: Callable[[Lines], Encoded]) -> None:
    global _encode
    _encode = encode


def _work(chunk: Lines) -> Tuple[int, Encoded]:
    if _encode is None:
        raise RuntimeError("this process was not started to encode text")
    return sum(len(line) for _, line in chunk), _encode(chunk)


def _chunks(path: Path) -> Iterator[Lines]:
    chunk: Lines = []
    for numbered in raw_lines(path):
        chunk.append(numbered)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


class _Encoder:
    """Encodes lines as ids, each with the end-of-sentence id after it."""

    def __init__(self, path: Path, subwords: Subwords, dictionary: Any) -> None:
        self.path = path
        self.subwords = subwords
        self.index = dict(dictionary.indices)
        self.unk, self.eos = dictionary.unk(), dictionary.eos()

    def __call__(self, chunk: Lines) -> Encoded:
        rows, unknown = [], 0
        for number, line in chunk:
            symbols = self.subwords.encode(decoded(self.path, number, line).strip())
            ids = [self.index.get(symbol, self.unk) for symbol in symbols]
            unknown += ids.count(self.unk)
            rows.append(np.array([*ids, self.eos], dtype=np.int64))
        return Encoded(rows, unknown)
