"""Lines of ids -> blocks of at most N tokens, each beginning with ``<s>``; errors name the file."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any, Iterable

import numpy as np
from fairseq.data import BaseWrapperDataset, PrependTokenDataset, TokenBlockDataset, data_utils
from fairseq.data.shorten_dataset import maybe_shorten_dataset
from numpy.typing import NDArray

from .binarised import with_ending

logger = logging.getLogger(__name__)

KEEPS_LINES = ("complete", "complete_doc", "eos")
"""Break modes that never cut a line, so that one may be too long for a block."""


def load_lines(prefix: Path, dictionary: Any, source: Path, combine: bool = False) -> Any:
    """Open fairseq's binaries; raises ValueError if they are missing or empty."""
    data = with_ending(prefix, ".bin")
    if data.is_file() and data.stat().st_size == 0:
        raise ValueError(f"{source} is empty")
    lines = data_utils.load_indexed_dataset(str(prefix), dictionary, combine=combine)
    if lines is None:
        raise ValueError(f"{source} is neither binarised (.bin and .idx, by fairseq-preprocess) nor raw text (.txt)")
    return lines


def text_blocks(lines: Any, split: str, cfg: Any, dictionary: Any, source: Path) -> Any:
    """Return blocks of ``task.tokens_per_sample`` tokens, broken as ``task.sample_break_mode`` says.

    In a mode that cuts lines anywhere, no line is too long, so none is shortened (fairseq would drop all ends).
    """
    limit = cfg.tokens_per_sample - 1  # one less for <s>
    mode = str(cfg.sample_break_mode or "none")
    if mode in KEEPS_LINES:
        check_lengths(np.asarray(lines.sizes), limit, shortening(split, cfg), source)
        if mode == "eos":
            lines = without_empty(lines, source)
        lines = maybe_shorten_dataset(lines, split, cfg.shorten_data_split_list, cfg.shorten_method, limit, cfg.seed)
    blocks = TokenBlockDataset(lines, lines.sizes, limit, pad=dictionary.pad(), eos=dictionary.eos(), break_mode=mode)
    return PrependTokenDataset(blocks, dictionary.bos())


def shortening(split: str, cfg: Any) -> str:
    """Return how a split's lines are shortened: not at all if ``task.shorten_data_split_list`` lacks the split."""
    splits = cfg.shorten_data_split_list
    return str(cfg.shorten_method) if not splits or split in splits.split(",") else "none"


def without_empty(lines: Any, source: Path) -> Any:
    """Return the lines that are not empty, where each is a sample; log how many are skipped.

    Raises ValueError if all are empty.
    """
    kept = np.flatnonzero(np.asarray(lines.sizes) > 1)
    if len(kept) == 0:
        raise ValueError(f"{source} has no text: {len(lines)} lines, all of them empty")
    if len(kept) == len(lines):
        return lines
    logger.warning(f"{source}: skipped {len(lines) - len(kept):,} empty lines of {len(lines):,}")
    return SomeLines(lines, kept)


class SomeLines(BaseWrapperDataset):
    """The lines with the indices ``kept`` (N,)."""

    def __init__(self, lines: Any, kept: NDArray[np.int64]) -> None:
        super().__init__(lines)
        self.kept = kept

    def __len__(self) -> int:
        return len(self.kept)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[int(self.kept[index])]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Tokens of each line."""
        return np.asarray(self.dataset.sizes)[self.kept]

    def prefetch(self, indices: Iterable[int]) -> None:
        """Read lines into memory beforehand, for binaries that are not mapped."""
        self.dataset.prefetch(self.kept[list(indices)])


def check_lengths(sizes: Any, limit: int, shorten: str, source: Path) -> None:
    """Log how many lines are longer than a block; raise ValueError if ``shorten`` is none."""
    too_long = np.flatnonzero(sizes > limit)
    if len(too_long) == 0:
        return
    longest = int(sizes.argmax())
    message = f"{source}: {len(too_long):,} of {len(sizes):,} lines are longer than {limit} tokens"
    if shorten == "none":
        raise ValueError(
            f"{message}, the longest is line {longest + 1} with {sizes[longest]:,}: set "
            "`task.shorten_method=truncate`, a larger `task.tokens_per_sample`, or "
            "`task.sample_break_mode=none`, which splits lines anywhere"
        )
    logger.warning(f"{message}; they are shortened (`task.shorten_method={shorten}`)")


def blocks_digest(sizes: Any, dictionary: Any) -> str:
    """Identifies a set of blocks: their number and sizes, and the dictionary."""
    digest = hashlib.sha1(np.ascontiguousarray(sizes, dtype=np.int64).tobytes())
    digest.update("\n".join(dictionary.symbols).encode())
    return digest.hexdigest()[:12]
