"""Clips as the speech model reads them: mono, at the model's sample rate, normalised as in the checkpoint's task."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..data.audio.clips import TRUNCATED, rate_fault
from ..files.media.audio import read_info, read_samples
from ..files.unusable import UnusableFileError
from ..modalities.conv_spec import ConvSpec, output_length, receptive_field
from .items import BadItemError, Input, Item, padded


class SpeechReader:
    """WAV, FLAC and other formats of libsndfile; also ``archive.zip:offset:length`` from fairseq's manifests."""

    unit = "seconds"
    default_batch = 60.0

    def __init__(self, task: Mapping[str, Any], conv_layers: Sequence[ConvSpec]) -> None:
        self.sizes_per_unit = int(task.get("sample_rate") or 16_000)
        self.normalize = bool(task.get("normalize", False))
        self.conv_layers = conv_layers
        self.shortest = receptive_field(conv_layers)
        self._mixed_down: List[str] = []

    def settings(self) -> Dict[str, object]:
        """Sample rate and normalisation."""
        return {"sample_rate": self.sizes_per_unit, "normalize": self.normalize}

    def look(self, item: Item) -> Input:
        """Read a clip's header; raises :class:`BadItemError` for a clip without features."""
        try:
            info = read_info(item.source)
        except UnusableFileError as error:
            raise BadItemError(error.fault) from error
        if info.sample_rate != self.sizes_per_unit:
            raise BadItemError(rate_fault(info.sample_rate, self.sizes_per_unit))
        stated = info.frames if item.samples is None else item.samples
        if info.frames < TRUNCATED * stated:
            raise BadItemError(f"{info.frames} samples on disk but {stated} in the manifest: the file is truncated")
        self._check_length(info.frames)
        if info.channels > 1:
            self._mixed_down.append(item.place)
        return Input(item, info.frames, partial(self._load, item, info.frames))

    def take(self, value: object, item: Item) -> Input:
        """A waveform, floats (samples,), or a file's path; raises :class:`BadItemError` for anything else."""
        if isinstance(value, (str, os.PathLike)):
            return self.look(replace(item, source=os.fspath(value)))
        if not isinstance(value, (np.ndarray, Tensor)):
            raise BadItemError(f"is a {type(value).__name__}; expected a waveform (array or tensor) or a path")
        clip = torch.as_tensor(value).detach().cpu()
        if not clip.is_floating_point():
            raise BadItemError(f"holds {clip.dtype}; expected floats from -1 to 1: divide 16 bits by 32768")
        if clip.dim() == 2 and 1 in clip.shape:
            clip = clip.flatten()  # one channel, as torchaudio and soundfile read it
        if clip.dim() != 1:
            raise BadItemError(
                f"has shape {tuple(clip.shape)}; expected (samples,): average the channels; several clips are a list"
            )
        row = self._checked(clip.float())
        return Input(item, len(row), lambda: row)

    def _check_length(self, samples: int) -> None:
        if samples < self.shortest:
            raise BadItemError(f"{samples} samples; one frame of this model requires {self.shortest}")

    def _load(self, item: Item, stated: int) -> Tensor:
        """The samples (about ``stated``: some headers estimate), channels averaged."""
        try:
            samples, _ = read_samples(item.source)
        except UnusableFileError as error:
            raise BadItemError(error.fault) from error
        clip = torch.from_numpy(samples)
        clip = clip[:, 0] if clip.shape[1] == 1 else clip.mean(1)
        if len(clip) < TRUNCATED * stated:
            raise BadItemError(f"{len(clip)} of {stated} samples: the file is truncated")
        return self._checked(clip)

    def _checked(self, clip: Tensor) -> Tensor:
        """A clip (samples,) as the model reads it; raises :class:`BadItemError` for a clip without features."""
        self._check_length(len(clip))
        if not bool(torch.isfinite(clip).all()):
            raise BadItemError("holds NaN or infinite samples")
        return F.layer_norm(clip, clip.shape) if self.normalize else clip

    def collate(self, rows: List[Tensor]) -> Tuple[Tensor, Optional[Tensor]]:
        """Clips (samples,) -> (B, samples), padded with zeros at the end."""
        return padded(rows, 0)

    def span(self, row: Tensor, width: int) -> slice:
        """A clip's frames."""
        return slice(output_length(len(row), self.conv_layers))

    def remarks(self) -> List[str]:
        """How many clips had several channels."""
        mixed, self._mixed_down = self._mixed_down, []
        return [f"{len(mixed):,} clips have several channels, which were averaged: {mixed[0]}"] if mixed else []
