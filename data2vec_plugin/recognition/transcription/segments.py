"""Emissions of pieces, one after another -> segments that are decoded at once."""

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
"""Seconds that are decoded at once, at most, and somewhat more where no word ends for long."""


@dataclass
class SegmentReader:
    """Takes the emissions of one recording's pieces in order, and decodes what belongs together.

    Pieces that are joined are one segment. One that grows too long is cut where a word ends, which is no seam: words
    are decoded by letters, and no letter of another word stands between.
    """

    recogniser: Recogniser
    decoder: Decoder
    transcript: Transcript = field(default_factory=Transcript)
    _rows: List[Tensor] = field(default_factory=list)
    _start: int = 0

    def take(self, piece: Piece, emissions: Tensor) -> None:
        """A piece and what the recogniser says of its samples, (T, V)."""
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
        """Decode what is still there."""
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
    """The last frame among ``longest`` that stands between two words on the best path.

    Behind a boundary ``|``, or before a unit that begins a word; where the dictionary has neither, in the longest run
    of blanks of the second half. Without any such place ``longest`` itself.
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
