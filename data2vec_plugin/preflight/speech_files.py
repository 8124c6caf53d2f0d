"""Checks of speech data sets: headers of a few files, and files that several splits list."""

from __future__ import annotations

import os
from typing import Any, Dict, Iterable, List, Mapping, Optional

import numpy as np

from ..data.audio.batch_limits import audio_of, clips_that_fit, too_long_fault
from ..data.audio.clips import CheckedAudioDataset, rate_fault, truncation_fault
from ..files.evenly_spaced import evenly_spaced
from ..files.media.audio import read_info
from ..files.unusable import UnusableFileError, some
from ..modalities.audio import AudioConfig
from .finding import Findings

HEADERS = 24
"""Files of a split whose headers are read."""


def check_headers(split: str, audio: CheckedAudioDataset, findings: Findings, processes: int = 1) -> None:
    """Compare the headers of evenly spaced files with the manifest and the sample rate.

    An error if more files are unusable than ``bad_audio_limit`` allows in all ``processes``: reading them would stop
    the run.
    """
    count = len(audio.sizes)
    chosen = evenly_spaced(count, HEADERS)
    faults = [fault for fault in (_header_fault(audio, int(index)) for index in chosen) if fault]
    findings.notes.append(f"{split}: the headers of {len(chosen):,} of {count:,} files were read")
    if not faults:
        return
    limit = audio.bad_files.limit * processes
    more = f" ({len(faults)} of {len(chosen)} files that were looked at have such faults)" if len(faults) > 1 else ""
    text = f"{faults[0]}; replace it or remove it{more}"
    (findings.refuse if len(faults) > limit else findings.warn)(text)


def _header_fault(audio: CheckedAudioDataset, index: int) -> str:
    """What a file's header shows to be unusable, with manifest, line and file; empty if nothing."""
    try:
        info = read_info(audio.entry(index))
    except UnusableFileError as error:
        return f"{audio.where(index)}: {error.fault}"
    fault = rate_fault(info.sample_rate, audio.sample_rate)
    fault = fault or truncation_fault(info.frames, int(audio.sizes[index]), audio.min_sample_size)
    return f"{audio.where(index)}: {fault}" if fault else ""


def check_overlap(
    train: str, files: Iterable[str], others: Mapping[str, CheckedAudioDataset], findings: Findings
) -> None:
    """Warn of files that a split has in common with the training split.

    Args:
        train: the name of the training split, or its manifest.
        files: its files.
        others: further splits by name.
    """
    trained = set(files)
    for name, audio in others.items():
        shared = [path for path in paths_of(audio) if path in trained]
        if shared:
            findings.warn(
                f"{len(shared):,} of the {len(audio.sizes):,} files of `{name}` are in `{train}` too "
                f"({some(shared)}): error rates and losses on them are those of training; list each file in one split "
                f"only"
            )


def check_lengths(audio: CheckedAudioDataset, max_tokens: Optional[int], findings: Findings) -> None:
    """Refuse clips of a split that no batch of validation or decoding can hold."""
    indices = np.arange(len(audio.sizes))
    _, too_long = clips_that_fit(audio, indices, max_tokens)
    if len(too_long):
        findings.refuse(too_long_fault(audio, too_long, len(indices), max_tokens))


def paths_of(audio: CheckedAudioDataset) -> List[str]:
    """Normalised paths of all files of a data set."""
    return [os.path.normpath(audio.entry(index)) for index in range(len(audio.sizes))]


def audio_config(model: Any) -> Optional[AudioConfig]:
    """The audio settings of a model that reads speech, or of the encoder in it; None for another modality."""
    return next((m.audio for m in model.modules() if isinstance(getattr(m, "audio", None), AudioConfig)), None)


def audio_sets(task: Any) -> Dict[str, CheckedAudioDataset]:
    """The speech data sets that a task has loaded, by split; none for a task of another modality."""
    found = {split: audio_of(dataset) for split, dataset in getattr(task, "datasets", {}).items()}
    return {split: audio for split, audio in found.items() if isinstance(audio, CheckedAudioDataset)}
