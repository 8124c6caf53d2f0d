"""Whether labels can belong to their clips: CTC needs a frame for every symbol, and longer clips have longer texts."""

from __future__ import annotations

from typing import Any, List, Sequence, Tuple

import numpy as np

from ..data.audio.clips import CheckedAudioDataset
from ..files.evenly_spaced import evenly_spaced
from ..modalities.conv_spec import ConvSpec, output_length
from .finding import Findings

MOST = 10_000
"""Clips that are looked at; evenly spaced ones of a larger split."""
ENOUGH = 100
"""Clips from which a correlation is judged."""
UNRELATED = 0.1
"""A correlation below this is found between texts and clips of others, not between a text and its clip."""
SPREAD = 0.1
"""Lengths that vary by less, relative to their mean, say nothing."""


def check_labels(split: str, dataset: Any, conv_layers: Sequence[ConvSpec], findings: Findings) -> None:
    """Look at the labels of a split, which is a data set with ``get_label``.

    Warns of clips with fewer frames than CTC needs, and where long clips do not have long labels.
    """
    audio: CheckedAudioDataset = dataset.dataset
    count = len(audio.sizes)
    chosen = evenly_spaced(count, MOST)
    needed = np.array([frames_needed(dataset.get_label(int(index)).split()) for index in chosen])
    sizes = audio.sizes[chosen]
    frames = np.array([output_length(int(size), conv_layers) for size in sizes])
    _check_frames(split, audio, chosen[needed > frames], (needed, frames), findings)
    if len(chosen) >= ENOUGH and min(_spread(needed), _spread(sizes)) > SPREAD:
        correlation = float(np.corrcoef(needed, sizes)[0, 1])
        if correlation < UNRELATED:
            findings.warn(
                f"`{split}`: lengths of labels and of clips are unrelated (correlation {correlation:.2f}): the label "
                f"file may be in another order than {audio.manifest}; make both again with `data2vec manifest` and "
                f"`data2vec labels`"
            )


def _check_frames(
    split: str, audio: CheckedAudioDataset, short: Any, lengths: Tuple[Any, Any], findings: Findings
) -> None:
    if not len(short):
        return
    needed, frames = lengths
    wanted, there = (int(each[needed > frames][0]) for each in lengths)
    findings.warn(
        f"`{split}`: {len(short):,} of {len(needed):,} clips have fewer frames than CTC needs for their labels, such "
        f"as {audio.where(int(short[0]))} ({there} frames, {wanted} needed): nothing is learned from them "
        f"(`criterion.zero_infinity`), and they may have another clip's text; correct them or remove them"
    )


def frames_needed(symbols: List[str]) -> int:
    """Frames that CTC needs for symbols: one for each, and a blank between equal ones.

    >>> frames_needed(list("HELLO"))
    6
    """
    return len(symbols) + sum(before == after for before, after in zip(symbols, symbols[1:]))


def _spread(lengths: Any) -> float:
    return float(np.std(lengths) / max(float(np.mean(lengths)), 1e-9))
