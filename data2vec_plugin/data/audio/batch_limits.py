"""Clips that are too long for a batch."""

from __future__ import annotations

from typing import Any, Optional, Tuple

import numpy as np

from .clips import CheckedAudioDataset


def audio_of(dataset: Any) -> CheckedAudioDataset:
    """Return the audio data set inside one with labels, or the data set itself."""
    audio: CheckedAudioDataset = getattr(dataset, "dataset", dataset)
    return audio


def clips_that_fit(audio: CheckedAudioDataset, indices: Any, max_tokens: Optional[int]) -> Tuple[Any, Any]:
    """Split ``indices`` into clips that fit into a batch of ``max_tokens`` samples, and clips that do not."""
    if not max_tokens:
        return indices, indices[:0]
    longer = np.minimum(audio.sizes[indices], audio.max_sample_size) > max_tokens
    return indices[~longer], indices[longer]


def longest_of(audio: CheckedAudioDataset, too_long: Any) -> str:
    """Describe the longest of the clips that do not fit: its manifest, line and length."""
    first = int(too_long[np.argmax(audio.sizes[too_long])])
    return f"{audio.where(first)}: {audio.sizes[first]:,} samples ({audio.sizes[first] / audio.sample_rate:.1f} s)"


def limit_of(max_tokens: Optional[int]) -> str:
    """Return the limit with its key, for a message."""
    return f"`dataset.max_tokens` (`--max-tokens`) is {max_tokens:,}"


def too_long_fault(audio: CheckedAudioDataset, too_long: Any, total: int, max_tokens: Optional[int]) -> str:
    """Return the message for clips that do not fit into a batch: the longest one, and what to do."""
    return (
        f"{longest_of(audio, too_long)}, but {limit_of(max_tokens)}: raise it, or skip such clips ({len(too_long):,} "
        f"of {total:,}) with `dataset.skip_invalid_size_inputs_valid_test=true` "
        "(`--skip-invalid-size-inputs-valid-test`)"
    )
