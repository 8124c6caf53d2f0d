"""The common part of speech tasks: hours of speech, clips too long for a batch, iterators that notice a change."""

import logging
from typing import Any, List, Optional

import numpy as np
from numpy.typing import NDArray

from ..data.audio.batch_limits import audio_of, clips_that_fit, limit_of, longest_of, too_long_fault
from ..data.audio.clips import LoaderMasks
from ..data.resumable import ResumableIterator
from ..data.sample_seeds import SampleSeeds
from ..host.watching.task import Extent, WatchedTask
from ..modalities.audio import AudioConfig
from .empty_batches import EmptyBatches
from .multi.masks import masks_of, method_of

logger = logging.getLogger(__name__)


class SpeechTask(EmptyBatches, WatchedTask):
    """Mixed into a fairseq task whose data sets are :class:`CheckedAudioDataset`, or wrap one."""

    _max_tokens: Optional[int] = None
    seeds: SampleSeeds

    def extent(self, dataset: Any, indices: NDArray[np.int64]) -> Extent:
        """Hours of speech in an epoch, as they are after cropping."""
        audio = audio_of(dataset)
        samples = float(np.minimum(audio.sizes[indices], audio.max_sample_size).sum())
        return Extent(samples / audio.sample_rate / 3600, "hours of speech", len(indices), "clips")

    def get_batch_iterator(
        self, dataset: Any, max_tokens: Optional[int] = None, *args: Any, **kwargs: Any
    ) -> ResumableIterator:
        """fairseq's own iterator, which on resume refuses another manifest than it was saved with.

        Raises ValueError for a clip that no batch can hold, unless such clips are to be left out.
        """
        self._max_tokens = max_tokens
        iterator = super().get_batch_iterator(dataset, max_tokens, *args, **kwargs)  # type: ignore[misc]
        audio = audio_of(dataset)
        return ResumableIterator(iterator, audio.manifest, audio.digest, seeds=self.seeds)

    def filter_indices_by_size(
        self, indices: Any, dataset: Any, max_positions: Any = None, ignore_invalid_inputs: bool = False
    ) -> Any:
        """fairseq's filter; clips of more samples than a batch may have are reported instead of failing an
        assertion."""
        indices = super().filter_indices_by_size(  # type: ignore[misc]
            indices, dataset, max_positions, ignore_invalid_inputs
        )
        fits, too_long = clips_that_fit(audio_of(dataset), np.asarray(indices), self._max_tokens)
        if not len(too_long):
            return indices
        audio = audio_of(dataset)
        if not ignore_invalid_inputs or not len(fits):
            raise ValueError(too_long_fault(audio, too_long, len(indices), self._max_tokens))
        limit, longest = limit_of(self._max_tokens), longest_of(audio, too_long)
        more = f", and {len(too_long) - 1:,} more" if len(too_long) > 1 else ""
        logger.warning(f"skipped {len(too_long):,} of {len(indices):,} clips, because {limit}: {longest}{more}")
        return fits


def loader_masks(model: Any) -> LoaderMasks:
    """Return what the loader needs from a speech model to draw its masks."""
    masks = model.method.masks
    length = masks.masker.config.length
    shortest_by = f"a span of `model.mask_length` {length}, by `model.conv_feature_layers`"
    return LoaderMasks(model.audio.conv_layers, masks, shortest_by)


def visible_masks(model: Any, seeds: SampleSeeds, settings: Any, key: str) -> Optional[LoaderMasks]:
    """The same for a data2vec 2.0 model of speech; None for models of other kinds."""
    method = method_of(model, "AUDIO")
    if method is None:
        return None
    masks = masks_of(model, "AUDIO", seeds, settings, key)
    frames = masks.masker.shortest
    shortest_by = f"{frames} frames, which `model.modalities.audio.mask_length` needs, by `feature_encoder_spec`"
    embedder: Any = method.encoder.embedder
    return LoaderMasks(embedder.audio.conv_layers, masks, shortest_by)


def speech_models(model: Any) -> List[Any]:
    """The data2vec speech models in a model, including itself."""
    return [module for module in model.modules() if hasattr(module, "method") and is_speech(module)]


def is_speech(model: Any) -> bool:
    """Whether a data2vec model is a speech model."""
    return isinstance(getattr(model, "audio", None), AudioConfig)
