"""Transcribes many recordings: pieces of similar length share a batch, results come in order."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import partial
from typing import Callable, Iterable, Iterator, List, NamedTuple, Optional, Union

import torch
from torch import Tensor

from ...decoding.decoded import Decoder
from ...features.batches import Batching
from ...features.items import Input, Item
from ...files.unusable import UnusableFileError
from ..pieces.cutting import Cutting, Frames, Piece, pieces
from ..pieces.listening import Samples, Source, listen
from ..recogniser import Recogniser
from .segments import SegmentReader
from .transcript import Transcript

BATCH = 60.0
"""Seconds per batch, as in `data2vec features`."""
BATCHES_AHEAD = 8
"""Number of batches whose pieces are sorted by length together."""


class Result(NamedTuple):
    """The result for one source: a transcript, or why there is none."""

    place: int
    found: Union[Transcript, UnusableFileError]


@dataclass
class Work:
    """A piece that waits for its emissions; without a piece, the end of its recording, or its error."""

    place: int
    heard: float
    """Seconds of the recording up to the end of this piece."""
    piece: Optional[Piece] = None
    emissions: Optional[Tensor] = None
    fault: Optional[UnusableFileError] = None


@dataclass
class Transcriber:
    """A recogniser and a decoder for recordings of any length.

    ``batch`` is the seconds of audio per batch; ``heard`` is called with the seconds of audio that were completed.
    Raises ValueError for invalid options, and for options that require a missing package.
    """

    recogniser: Recogniser
    decoder: Decoder
    cutting: Cutting = field(default_factory=Cutting)
    batch: float = BATCH
    heard: Callable[[float], None] = lambda seconds: None

    def __post_init__(self) -> None:
        self.cutting.check()
        if not self.batch > 0:
            raise ValueError(f"`--batch` is {self.batch:g}; expected more than 0 seconds")
        self.frames = Frames(self.recogniser.sample_rate, self.recogniser.hop, self.recogniser.shortest)
        self.cutting.detector(self.frames.rate)  # raises for a missing package before anything is read

    def transcribe(self, source: Source) -> Transcript:
        """One file, or a waveform (samples,) at the recogniser's rate; raises ValueError if it cannot be read."""
        ((_, found),) = self.results([source])
        if isinstance(found, UnusableFileError):
            raise found
        return found

    def results(self, sources: Iterable[Source]) -> Iterator[Result]:
        """All sources in order; the text of each does not depend on the others.

        Memory holds the audio of a few batches, however long the recordings are.
        """
        reader, before = SegmentReader(self.recogniser, self.decoder), 0.0
        for work in self._computed(self._listed(sources)):
            self.heard(work.heard - before)
            before = work.heard
            if work.piece is not None and work.emissions is not None:
                reader.take(work.piece, work.emissions)
                continue
            reader.finish()
            reader.transcript.seconds = work.heard
            yield Result(work.place, work.fault or reader.transcript)
            reader, before = SegmentReader(self.recogniser, self.decoder), 0.0

    def _listed(self, sources: Iterable[Source]) -> Iterator[Work]:
        """The pieces of all sources, each source's followed by its end."""
        rate = self.frames.rate
        for place, source in enumerate(sources):
            blocks, fault = Counted(listen(source, rate)), None
            try:
                for piece in pieces(blocks, self.frames, self.cutting):
                    yield Work(place, (piece.start + piece.count * self.frames.hop) / rate, piece)
                if blocks.count < self.frames.shortest:
                    fault = UnusableFileError.of(
                        str(source) if isinstance(source, (str, os.PathLike)) else "the waveform",
                        f"{blocks.count} samples; one frame of this model requires {self.frames.shortest}",
                    )
            except UnusableFileError as error:
                fault = error
            yield Work(place, blocks.count / rate, fault=fault)

    def _computed(self, works: Iterable[Work]) -> Iterator[Work]:
        """The same with emissions, in the same order; a batch may hold pieces of several recordings."""
        limit = max(1, int(self.batch * self.frames.rate))
        pool: List[Work] = []
        size = 0
        for work in works:
            pool.append(work)
            size += 0 if work.piece is None else len(work.piece.samples)
            if size >= BATCHES_AHEAD * limit:
                yield from self._emitted(pool, limit)
                pool, size = [], 0
        yield from self._emitted(pool, limit)

    def _emitted(self, pool: List[Work], limit: int) -> List[Work]:
        """Compute the emissions of the pool, longest pieces first."""
        clips = {str(place): work.piece.samples for place, work in enumerate(pool) if work.piece is not None}
        inputs = [
            Input(Item(name, name, ""), len(clip), partial(torch.from_numpy, clip)) for name, clip in clips.items()
        ]
        for group in Batching(limit, self.recogniser.like_only).groups(inputs):
            names = [each.item.name for each in group]
            try:
                emissions = self.recogniser.emissions([clips[name] for name in names])
            except torch.cuda.OutOfMemoryError as error:
                longest = group[0].size / self.frames.rate
                raise ValueError(
                    f"out of memory with {len(group)} pieces of up to {longest:.1f} s; lower `--batch`, or `--window`"
                ) from error
            for name, each in zip(names, emissions):
                pool[int(name)].emissions = each
        return pool


@dataclass
class Counted:
    """Blocks of samples, counted as they are read."""

    blocks: Iterator[Samples]
    count: int = 0

    def __iter__(self) -> Iterator[Samples]:
        return self

    def __next__(self) -> Samples:
        block = next(self.blocks)
        self.count += len(block)
        return block
