"""Speech for pre-training: fairseq's audio data set with crops and masks that follow (seed, epoch, sample id).

What a sample looks like then depends neither on the worker that reads it, nor on how often the run was interrupted. It
does depend on its batch: with `enable_padding: false` the width of a crop is the shortest clip's, and
`require_same_masks` (the default) equalises the rows' masks; it and `mask_dropout` draw from the last row's generator.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import numpy as np
import torch
from fairseq.data import FileAudioDataset
from fairseq.data.text_compressor import TextCompressionLevel, TextCompressor
from torch import Tensor

from ...core.masks.mask import Mask
from ...core.masks.masking import BatchMasker
from ...files.media.audio import read_samples
from ...files.names import FileNames
from ...files.text.manifests import check_manifest, manifest_digest, manifest_root
from ...files.unusable import UnusableFileError
from ...modalities.conv_spec import ConvSpec, output_length, samples_for
from ...modalities.feature_extractor import lengths_to_padding
from ..bad_files import BadFileError, BadFiles
from ..sample_seeds import SampleSeeds
from ..whole_epochs import AllBatches, SharedEpoch

logger = logging.getLogger(__name__)

TRUNCATED = 0.99
"""A file with less than this share of the samples that the manifest states is truncated; some formats round."""


def rate_fault(found: int, expected: int) -> str:
    """Return the fault of a file's sample rate in Hz, or an empty string."""
    if found == expected:
        return ""
    option = "" if expected == 16_000 else f" --sample-rate {expected}"
    return (
        f"sample rate {found}, expected {expected}: write copies at the right rate with "
        f"`data2vec manifest FOLDER --resample-to NEW_FOLDER{option}`"
    )


def truncation_fault(found: int, stated: int, shortest: int) -> str:
    """Return the fault of a file with fewer samples than the manifest states or a run needs, or an empty string."""
    if found >= max(TRUNCATED * stated, shortest, 1):
        return ""
    return (
        f"{found} samples on disk but {stated} in the manifest: the file is truncated, or the manifest is outdated "
        "(run `data2vec manifest`)"
    )


class AudioFileError(BadFileError):
    """A clip that cannot be used; the message names manifest, line and file."""


@dataclass(frozen=True)
class LoaderMasks:
    """Draws a model's ``masks`` of frames in the loader; ``conv_layers`` are the convolutions that make the frames.

    ``shortest_by`` names the keys that require a minimum length of clips.
    """

    conv_layers: Sequence[ConvSpec]
    masks: BatchMasker
    shortest_by: str = "the model's masks"

    def shortest_clip(self) -> int:
        """Return the samples of the shortest clip that has a visible frame when one span is masked."""
        return samples_for(self.masks.masker.shortest, self.conv_layers)

    def draw(self, lengths: Sequence[int], seeds: SampleSeeds, epoch: int, ids: Sequence[int]) -> Mask:
        """Draw the masks of the clips ``ids`` of ``lengths`` samples; the longest clip is as wide as the batch.

        A clip shorter than a frame counts as one frame, as in the model. The masks of a clip's copies are consecutive.
        """
        return self.masks.draw(self.frames(lengths), seeds.of_masks(epoch, ids, self.masks.copies))

    def frames(self, lengths: Sequence[int]) -> List[int]:
        """Return the number of frames of each clip, at least 1, from its samples."""
        return [max(output_length(length, self.conv_layers), 1) for length in lengths]


class CheckedAudioDataset(AllBatches, FileAudioDataset):
    """fairseq's ``FileAudioDataset`` (WAV, FLAC, zip) whose faults name manifest, line and file.

    Clips shorter than ``shortest`` samples, which the keys in ``shortest_by`` require, are skipped and reported. So are
    files that turn out to be unusable when they are read (empty, truncated, unreadable, another rate, NaN, silent), up
    to ``bad_limit`` of them; one more raises :class:`AudioFileError`.
    """

    shortest_by = "`model.conv_feature_layers`"

    def __init__(
        self, manifest_path: str, sample_rate: int, shortest: int = 0, bad_limit: int = 0, **options: Any
    ) -> None:
        self.manifest = Path(manifest_path)
        lines = check_manifest(self.manifest)
        self.digest = manifest_digest(self.manifest)
        wanted = options.pop("min_sample_size", None) or 0
        self.text_compressor = TextCompressor(options.pop("text_compression_level", TextCompressionLevel.none))
        buckets = options.pop("num_buckets", 0)
        # fairseq's own manifest reader, which is bypassed, treats a byte order mark as part of the folder
        super(FileAudioDataset, self).__init__(sample_rate, min_sample_size=max(wanted, shortest), **options)
        self.root_dir = str(manifest_root(self.manifest))
        self.entries = len(lines)
        self.skipped_indices = {i for i, (_, _, size) in enumerate(lines) if size < self.min_sample_size}
        self.sizes = np.array([size for *_, size in lines if size >= self.min_sample_size], dtype=np.int64)
        self.set_bucket_info(buckets)
        kept = [(number, name) for number, name, size in lines if size >= self.min_sample_size]
        self.line_numbers = np.array([number for number, _ in kept])
        self.fnames = FileNames(self.text_compressor.compress(name) for _, name in kept)
        self.bad_files = BadFiles(len(kept), bad_limit, self.where, AudioFileError, "bad_audio_limit")
        self._mixed_down = torch.zeros((), dtype=torch.bool).share_memory_()
        self._report_skips([name for _, name, size in lines if size < self.min_sample_size], wanted, shortest)

    def _report_skips(self, names: List[str], wanted: int, shortest: int) -> None:
        """Log the number and the first names of clips that are too short; raise ValueError if no other is left."""
        if not names:
            return
        limit = self.min_sample_size
        needed_by = "`task.min_sample_size`" if wanted >= shortest else self.shortest_by
        reason = f"under {limit} samples ({limit / self.sample_rate:.3f} s, {needed_by})"
        if len(names) == self.entries:
            raise ValueError(f"{self.manifest}: all {len(names)} clips are {reason}: lower it, or use longer clips")
        shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
        logger.warning(f"{self.manifest}: skipped {len(names)} of {self.entries} clips, {reason}: {shown}")

    def __getitem__(self, index: int) -> Dict[str, Any]:
        """Return ``id`` and ``source`` (samples,); the source of a skipped file is None, as in fairseq."""
        self._reading = index
        try:
            samples, rate = read_samples(self.entry(index))
            source = self.postprocess(torch.from_numpy(samples.squeeze(1) if samples.shape[1] == 1 else samples), rate)
            self._check(source, index)
        except UnusableFileError as error:
            self.bad_files.leave_out(index, f"{error.fault}; replace it or remove it", error)
            return {"id": index, "source": None}
        return {"id": index, "source": source}

    def _check(self, source: Tensor, index: int) -> None:
        """Raise :class:`UnusableFileError` for a clip that is truncated, silent, or has NaN or infinite samples."""
        fault = self._fault(source, index)
        if fault:
            raise UnusableFileError.of(self.entry(index), fault)

    def _fault(self, source: Tensor, index: int) -> str:
        """Return the fault of a clip as it was read, or an empty string."""
        truncated = truncation_fault(len(source), int(self.sizes[index]), self.min_sample_size)
        if truncated:
            return truncated
        if not bool(torch.isfinite(source).all()):
            return "holds NaN or infinite samples"
        if bool((source == source[0]).all()):
            return "is silent: all samples are the same"
        return ""

    def postprocess(self, feats: Tensor, curr_sample_rate: int) -> Tensor:
        """Average the channels and, if configured, normalise to zero mean and unit variance.

        Raises :class:`UnusableFileError` for another sample rate.
        """
        if feats.dim() == 2 and not self._mixed_down:
            self._mixed_down.fill_(True)
            where = self.where(self._reading)
            logger.warning(
                f"{where}: {feats.size(1)} channels, averaged into one; the same is done for other such files"
            )
        fault = rate_fault(curr_sample_rate, self.sample_rate)
        if fault:
            raise UnusableFileError.of(self.entry(self._reading), fault)
        processed: Tensor = super().postprocess(feats, curr_sample_rate)
        return processed

    def where(self, index: int) -> str:
        """``manifest:line: file`` of sample ``index``."""
        return f"{self.manifest}:{self.line_numbers[index]}: {self.entry(index)}"

    def entry(self, index: int) -> str:
        """Path of the audio file, or ``archive.zip:offset:length``."""
        return os.path.join(self.root_dir, self.text_compressor.decompress(self.fnames[index]))


class SeededAudioDataset(SharedEpoch, CheckedAudioDataset):
    """Crops and masks drawn from (seed, epoch, id), fitted to the batch. Without ``masks`` the model draws its own."""

    def __init__(
        self,
        manifest_path: str,
        sample_rate: int,
        seeds: SampleSeeds,
        masks: Optional[LoaderMasks],
        **options: Any,
    ) -> None:
        shortest = masks.shortest_clip() if masks else 0
        if masks:
            self.shortest_by = masks.shortest_by
        CheckedAudioDataset.__init__(self, manifest_path, sample_rate, shortest=shortest, **options)
        SharedEpoch.__init__(self)
        self.seeds = seeds
        self.masks = masks

    def collater(self, samples: List[Dict[str, Any]]) -> Dict[str, Any]:
        """Crop or pad to one length and mask: ``source`` (B, samples), ``mask`` as :meth:`Mask.as_dict` has it."""
        samples = [sample for sample in samples if sample["source"] is not None]
        if not samples:
            return {}
        ids = [int(sample["id"]) for sample in samples]
        sizes = [len(sample["source"]) for sample in samples]
        width = min(max(sizes) if self.pad else min(sizes), self.max_sample_size)
        source = torch.zeros(len(samples), width)
        lengths = [min(size, width) for size in sizes]
        for row, (sample, index, length) in enumerate(zip(samples, ids, lengths)):
            source[row, :length] = self._crop(sample["source"], index, length)
        net_input: Dict[str, Any] = {"source": source}
        if min(lengths) < width:
            net_input["padding_mask"] = lengths_to_padding(torch.tensor(lengths), width)
        if self.masks is not None:
            net_input["mask"] = self.masks.draw(lengths, self.seeds, self.epoch, ids).as_dict()
        return {"id": torch.tensor(ids), "net_input": net_input}

    def _crop(self, source: Tensor, index: int, length: int) -> Tensor:
        start = int(self.seeds.of_view(self.epoch, index).integers(len(source) - length + 1))
        return source[start : start + length]


class MaskedAudioDataset(SharedEpoch, CheckedAudioDataset):
    """Whole clips for fine-tuning, padded as fairseq does it, with masks drawn from (seed, epoch, id)."""

    def __init__(self, manifest_path: str, seeds: SampleSeeds, masks: LoaderMasks, **options: Any) -> None:
        CheckedAudioDataset.__init__(self, manifest_path, pad=True, **options)
        SharedEpoch.__init__(self)
        self.seeds = seeds
        self.masks = masks

    def collater(self, samples: List[Dict[str, Any]]) -> Dict[str, Any]:
        """Return fairseq's batch with its ``mask``; without it in runs that started with masks drawn by the model."""
        batch: Dict[str, Any] = super().collater(samples)
        if batch and self.seeds.masks_are_drawn:
            lengths: List[int] = (~batch["net_input"]["padding_mask"]).sum(1).tolist()
            ids: List[int] = batch["id"].tolist()
            batch["net_input"]["mask"] = self.masks.draw(lengths, self.seeds, self.epoch, ids).as_dict()
        return batch
