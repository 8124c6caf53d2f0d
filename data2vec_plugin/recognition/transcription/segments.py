"""Joins the emissions of consecutive pieces into segments, which are decoded as a whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import List, Sequence

import torch
from torch import Tensor

from ...decoding.decoded import Decoder, runs
from ...decoding.words import PIECE, Word, words_of
from ..pieces.cutting import Piece
from ..recogniser import Recogniser
from ..timed_words import TimedWord
from .transcript import Reading, Segment, Transcript

BOUNDARY = "|"
LONGEST = 60.0
"""Longest segment in seconds; somewhat longer if no word ends for a while."""


@dataclass
class SegmentReader:
    """Collects the emissions of one recording's pieces in order, and decodes them segment by segment.

    Joined pieces are one segment. A segment that grows too long is cut where a word ends, which loses nothing: words
    are decoded from letters, and no letter of another word is between.
    """

    recogniser: Recogniser
    decoder: Decoder
    transcript: Transcript = field(default_factory=Transcript)
    _rows: List[Tensor] = field(default_factory=list)
    _start: int = 0

    def take(self, piece: Piece, emissions: Tensor) -> None:
        """Add a piece and its emissions, (T, V)."""
        if not piece.joined:
            self.finish()
            self._start = piece.start
        self._rows.append(emissions[piece.first : piece.first + piece.count])
        longest = int(LONGEST * self.recogniser.sample_rate) // self.recogniser.hop
        if sum(map(len, self._rows)) > longest:
            rows = torch.cat(self._rows)
            cut = word_end(rows, self.recogniser.symbols, self.recogniser.blank, longest)
            self._read(rows[:cut])
            self._rows, self._start = [rows[cut:]], self._start + cut * self.recogniser.hop

    def finish(self) -> None:
        """Decode the rest."""
        if self._rows:
            self._read(torch.cat(self._rows))
        self._rows = []

    def _read(self, rows: Tensor) -> None:
        if len(rows) == 0:
            return
        read = self.decoder.decode(rows)
        readings = [Reading(each.score, self._timed(words_of(each, self.recogniser.symbols))) for each in read]
        if any(reading.words for reading in readings):
            self.transcript.segments.append(Segment(self._time(0), self._time(len(rows)), readings))

    def _timed(self, words: Sequence[Word]) -> List[TimedWord]:
        return [TimedWord(each.text, self._time(each.start), self._time(each.end), each.confidence) for each in words]

    def _time(self, frame: int) -> float:
        return (self._start + frame * self.recogniser.hop) / self.recogniser.sample_rate


def word_end(rows: Tensor, symbols: Sequence[str], blank: int, longest: int) -> int:
    """The last of the first ``longest`` frames that is between two words on the best path.

    That is after a boundary ``|``, or before a piece that begins a word; if the dictionary has neither, in the longest
    run of blanks of the second half. If there is no such frame, ``longest`` itself.
    """
    path = runs(rows[:longest].argmax(-1).tolist())
    if BOUNDARY in symbols:
        ends = [end for symbol, _, end in path[:-1] if symbols[symbol] == BOUNDARY]
    elif any(symbol.startswith(PIECE) for symbol in symbols):
        ends = [start for symbol, start, _ in path if symbols[symbol].startswith(PIECE)]
    else:
        blanks = [(end - start, end) for symbol, start, end in path if symbol == blank and end > longest // 2]
        ends = [max(blanks)[1]] if blanks else []
    return next((end for end in reversed(ends) if end > 0), min(longest, len(rows)))
