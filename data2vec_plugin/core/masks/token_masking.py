"""Which tokens of a text are hidden, and what the student sees instead (section 4.3; BERT, section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional, Tuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ..config import SettingError, SpanMaskConfig
from .masking import SpanMasker

Ids = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class TokenMaskConfig:
    """Spans of tokens (or of whole words) to regress; a share ``keep`` of them is unchanged, a share ``random`` is
    replaced by random words, and the rest by the mask symbol.

    BERT's masks are spans of one with 0.15, 0.1, 0.1; wav2vec's are spans of four with 0.35, 0, 0.
    """

    spans: SpanMaskConfig = field(default_factory=lambda: SpanMaskConfig(prob=0.15, length=1, same_share=False))
    keep: float = 0.1
    random: float = 0.1

    def __post_init__(self) -> None:
        if self.keep < 0 or self.random < 0 or self.keep + self.random > 1:
            got = f"{self.keep} and `random` {self.random}"
            raise SettingError("keep", got, "shares of the masked tokens, together at most 1")


class TokenMasker:
    """Masks one row of ids; ``replacements`` (V,) are the probabilities of each symbol as a random replacement.

    ``word_starts`` (V,) marks the symbols that begin a word; if given, whole words are hidden.

    >>> masker = TokenMasker(TokenMaskConfig(keep=0, random=0), mask_symbol=9)
    >>> ids, hidden = masker.sample(np.arange(4, 8), np.random.default_rng(0))
    >>> bool((ids[hidden] == 9).all())
    True
    """

    def __init__(
        self,
        config: TokenMaskConfig,
        mask_symbol: int,
        replacements: Optional[NDArray[np.float64]] = None,
        word_starts: Optional[Flags] = None,
    ) -> None:
        if config.random <= 0:
            replacements = None
        elif replacements is None:
            raise SettingError("random", config.random, "0 where there are no symbols to draw from")
        self.config = config
        self.spans = SpanMasker(config.spans)
        self.mask_symbol = mask_symbol
        self.cumulative = None if replacements is None else shares_below(replacements)
        self.word_starts = word_starts

    def sample(self, ids: Ids, rng: Generator) -> Tuple[Ids, Flags]:
        """The student's view of ``ids`` (T,), and which of them are to be regressed (T,)."""
        hidden = self.hidden(ids, rng)
        seen = ids.copy()
        fate = rng.random(len(ids))
        keep, random = self.config.keep, self.config.random
        seen[hidden & (fate >= keep)] = self.mask_symbol
        replaced = hidden & (fate >= keep) & (fate < keep + random)
        if self.cumulative is not None:
            seen[replaced] = np.searchsorted(self.cumulative, rng.random(int(replaced.sum())), side="right")
        return seen, hidden

    def hidden(self, ids: Ids, rng: Generator) -> Flags:
        """Spans over tokens, or over words (T,); `spans.min_masks` are hidden in every row."""
        if self.word_starts is None:
            return self._runs(len(ids), rng)
        starts = self.word_starts[ids]
        starts[0] = True
        words = np.cumsum(starts) - 1
        hidden: Flags = self._runs(int(words[-1]) + 1, rng)[words]
        return hidden

    def _runs(self, size: int, rng: Generator) -> Flags:
        row: Flags = self.spans.rows([size], size, [rng])[0]
        return row


def shares_below(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cumulative shares (V,), the last exactly 1, so that no symbol with probability 0 is drawn.

    Raises SettingError if all are 0.
    """
    sums = np.cumsum(odds, dtype=np.float64)
    if len(sums) == 0 or not sums[-1] > 0:
        raise SettingError("replacements", "all 0", "some symbol that may replace a hidden one")
    shares: NDArray[np.float64] = sums / sums[-1]
    return shares
