"""Clips that are too long for a batch."""

from __future__ import annotations

from typing import Any, Optional, Tuple

import numpy as np

from .clips import CheckedAudioDataset


def audio_of(dataset: Any) -> CheckedAudioDataset:
    """The audio data set itself, without the labels around it."""
    audio: CheckedAudioDataset = getattr(dataset, "dataset", dataset)
    return audio


def clips_that_fit(audio: CheckedAudioDataset, indices: Any, max_tokens: Optional[int]) -> Tuple[Any, Any]:
    """Which of the clips at ``indices`` a batch of at most ``max_tokens`` samples can hold, and which it cannot."""
    if not max_tokens:
        return indices, indices[:0]
    longer = np.minimum(audio.sizes[indices], audio.max_sample_size) > max_tokens
    return indices[~longer], indices[longer]


def longest_of(audio: CheckedAudioDataset, too_long: Any) -> str:
    """The longest clip of those that do not fit, with its manifest, line and length."""
    first = int(too_long[np.argmax(audio.sizes[too_long])])
    return f"{audio.where(first)}: {audio.sizes[first]:,} samples ({audio.sizes[first] / audio.sample_rate:.1f} s)"


def limit_of(max_tokens: Optional[int]) -> str:
    """The limit by its key."""
    return f"`dataset.max_tokens` (`--max-tokens`) is {max_tokens:,}"


def too_long_fault(audio: CheckedAudioDataset, too_long: Any, total: int, max_tokens: Optional[int]) -> str:
    """Why a data set cannot be used with this limit, and what to do."""
    return (
        f"{longest_of(audio, too_long)}, but {limit_of(max_tokens)}: raise it, or skip such clips ({len(too_long):,} "
        f"of {total:,}) with `dataset.skip_invalid_size_inputs_valid_test=true` "
        "(`--skip-invalid-size-inputs-valid-test`)"
    )
