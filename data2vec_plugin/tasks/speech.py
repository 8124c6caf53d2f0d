"""What the speech tasks share: how much speech there is, and iterators that notice another manifest."""

from typing import Any

import numpy as np

from ..data.audio.clips import CheckedAudioDataset
from ..data.resumable import ResumableIterator
from ..host.watching.task import Extent, WatchedTask
from .empty_batches import EmptyBatches


class SpeechTask(EmptyBatches, WatchedTask):
    """Mixed into a fairseq task whose data sets are :class:`CheckedAudioDataset`, or wrap one."""

    def extent(self, dataset: Any) -> Extent:
        """Hours of speech in an epoch, as they are after cropping."""
        audio = audio_of(dataset)
        samples = float(np.minimum(audio.sizes, audio.max_sample_size).sum())
        return Extent(samples / audio.sample_rate / 3600, "hours of speech", len(audio), "clips")

    def get_batch_iterator(self, dataset: Any, *args: Any, **kwargs: Any) -> ResumableIterator:
        """fairseq's own iterator, which on resume refuses another manifest than it was saved with."""
        iterator = super().get_batch_iterator(dataset, *args, **kwargs)  # type: ignore[misc]
        audio = audio_of(dataset)
        return ResumableIterator(iterator, audio.manifest, audio.digest)


def audio_of(dataset: Any) -> CheckedAudioDataset:
    """The audio data set itself, without the labels around it."""
    audio: CheckedAudioDataset = getattr(dataset, "dataset", dataset)
    return audio
