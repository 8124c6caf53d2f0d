"""Pictures for fairseq: decoded, transformed and masked by (seed, epoch, sample id).

What a sample looks like then depends neither on the batch it falls into, nor on the worker that reads it,
nor on how often the run was interrupted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional

import numpy as np
import torch
from fairseq.data import FairseqDataset
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from ...core.masks.masking import BatchMasker
from ...files.media.pictures import decode
from ...files.unusable import UnusableFileError
from ..bad_files import BadFileError, BadFiles
from ..sample_seeds import SampleSeeds
from ..whole_epochs import AllBatches, CountedSamples, SharedEpoch
from .source import ImageSource
from .transforms import Transform

Indices = NDArray[np.int64]


class ImageFileError(BadFileError):
    """A picture that cannot be used; the message names it."""


@dataclass(frozen=True)
class Order:
    """The images in an epoch's batches: always the same, or ``shuffled`` in each epoch.

    fairseq keeps its batches and its loader for all epochs. Batches therefore hold positions, which map to different
    images in each epoch. With ``views`` above 1, that many adjacent positions are one image, augmented independently
    (repeated augmentation; Hoffer et al., 2020). The length of an epoch is unchanged, so it covers one image in
    ``views``.
    """

    shuffled: bool = False
    views: int = 1

    def __post_init__(self) -> None:
        if self.views < 1:
            raise ValueError(f"`task.repeated_augmentation` is {self.views}; expected 1 (off) or more views per image")

    def ids(self, size: int, seed: int, epoch: int) -> Indices:
        """Ids (``size``,) by position; view v of image i has the id i + v · ``size``."""
        if not self.shuffled:
            return np.arange(size)
        shuffled = np.random.default_rng((seed, epoch)).permutation(size)
        chosen = shuffled[: -(-size // self.views)]
        by_picture = chosen[:, None] + size * np.arange(self.views)
        return by_picture.reshape(-1)[:size]


ALWAYS_ALIKE = Order()


class ImageDataset(SharedEpoch, AllBatches, CountedSamples, FairseqDataset):
    """Images as ``img`` (3, size, size) by their position in an epoch; ``id`` identifies image and view.

    The model's argument is called ``key``. Up to ``bad_limit`` unusable images are skipped, counted and named; one more
    raises :class:`ImageFileError`.
    """

    def __init__(
        self,
        source: ImageSource,
        transform: Transform,
        seed: int,
        bad_limit: int = 0,
        order: Order = ALWAYS_ALIKE,
        key: str = "img",
    ) -> None:
        super().__init__()
        self.source = source
        self.transform = transform
        self.seed = seed
        self.order = order
        self.key = key
        self._drawn = (-1, np.zeros(0, dtype=np.int64))
        self.bad_files = BadFiles(len(source), bad_limit, source.name, ImageFileError, "bad_image_limit")

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> Dict[str, Any]:
        """``id`` and ``img`` at a position; the ``img`` of a skipped image is None."""
        sample = int(self._ids()[index])
        picture = sample % len(self)
        try:
            image = decode(self.source.read(picture), self.source.name(picture))
        except UnusableFileError as error:
            self.bad_files.leave_out(picture, f"{error.fault}; replace it or remove it", error)
            return {"id": sample, "img": None}
        return {"id": sample, **self.looks(image, self.rng(sample))}

    def looks(self, image: Any, rng: Generator) -> Dict[str, Tensor]:
        """Return the transformed picture as ``img`` (3, size, size)."""
        return {"img": self.transform(image, rng)}

    def rng(self, sample: int) -> Generator:
        """Return the generator for a sample's transform, by seed, epoch and id."""
        return np.random.default_rng((self.seed, self.epoch, sample))

    def _ids(self) -> Indices:
        """Return the epoch's ids by position; each worker draws them once per epoch."""
        if self._drawn[0] != self.epoch:
            self._drawn = (self.epoch, self.order.ids(len(self), self.seed, self.epoch))
        return self._drawn[1]

    def collater(self, samples: List[Dict[str, Any]]) -> Dict[str, Any]:
        """Return ``net_input`` with pictures (B, 3, size, size) and further inputs; empty if all were skipped."""
        samples = [sample for sample in samples if sample["img"] is not None]
        if not samples:
            return {}
        ids = [sample["id"] for sample in samples]
        net_input = {self.key: torch.stack([sample["img"] for sample in samples]), **self.beside(ids)}
        if "target" in samples[0]:
            net_input["target"] = torch.stack([sample["target"] for sample in samples])
        return {"id": torch.tensor(ids), "net_input": net_input, "ntokens": len(ids), "nsentences": len(ids)}

    def beside(self, ids: List[int]) -> Dict[str, Any]:
        """Return further inputs of the model for the samples ``ids``; none here."""
        return {}

    def ordered_indices(self) -> Indices:
        """All positions."""
        return np.arange(len(self))


class MaskedImageDataset(ImageDataset):
    """Images of ``patches`` patches, with the mask of each; without ``masks`` the student draws them."""

    def __init__(
        self,
        masks: Optional[BatchMasker],
        patches: int,
        seeds: SampleSeeds,
        source: ImageSource,
        transform: Transform,
        **options: Any,
    ) -> None:
        super().__init__(source, transform, seeds.seed, **options)
        self.masks = masks
        self.patches = patches
        self.seeds = seeds

    def rng(self, sample: int) -> Generator:
        """Return the generator for a sample's transform, which is not the one for its mask."""
        return self.seeds.of_view(self.epoch, sample)

    def beside(self, ids: List[int]) -> Dict[str, Any]:
        """Return ``mask`` in the format of :meth:`Mask.as_dict`, patches row by row."""
        if self.masks is None:
            return {}
        rngs = self.seeds.of_masks(self.epoch, ids, self.masks.copies)
        return {"mask": self.masks.draw([self.patches] * len(ids), rngs).as_dict()}


class TwoLooksDataset(MaskedImageDataset):
    """The same part of each picture twice: as the student's input, and as ``target`` in other colours."""

    def __init__(self, look: Transform, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.look = look

    def looks(self, image: Any, rng: Generator) -> Dict[str, Tensor]:
        """Return ``img`` and ``target`` (3, size, size)."""
        part: Any = self.transform(image, rng)
        return {"img": self.look(part, rng), "target": self.look(part, rng)}


class LabelledImageDataset(ImageDataset):
    """Pictures with their classes; raises ValueError for a source that was opened without labels."""

    def __init__(self, source: ImageSource, *args: Any, **options: Any) -> None:
        if source.labels is None:
            raise ValueError(f"{source.root} was opened without labels, but labels are needed")
        super().__init__(source, *args, **options)
        self.labels: Indices = source.labels

    def beside(self, ids: List[int]) -> Dict[str, Tensor]:
        """Return ``label`` (B,), the class numbers."""
        return {"label": torch.from_numpy(self.labels[np.array(ids) % len(self)])}
