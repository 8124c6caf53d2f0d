"""An epoch iterator whose saved position also identifies its data."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Optional, Union

from fairseq.data.iterators import CountingIterator, EpochBatchIterating

from .bad_files import BadFileError
from .loader_workers import InWorkers
from .sample_seeds import SampleSeeds

Report = Callable[[BadFileError], None]

KEY = "data2vec_manifest"
SHARDS = "data2vec_shards"
BATCHES = "data2vec_batches"
RULE = "data2vec_sample_seeds"

DECIDE_BATCHES = (
    *("dataset.max_tokens", "dataset.batch_size", "dataset.required_batch_size_multiple"),
    *("task.min_sample_size", "task.max_sample_size"),
)
"""The keys, over all tasks, that decide which samples share a batch."""

STAND_IN = "stand_in"
"""Marks the batch that replaces an empty one; nothing of it may count in losses or statistics."""


class ManifestChangedError(ValueError):
    """The data of a resumed run is not that of its checkpoint."""


class BatchesChangedError(ValueError):
    """A run that stopped within an epoch is resumed with the same data in other batches."""


class UntilBadFile(CountingIterator):  # type: ignore[misc]
    """fairseq's batches, for processes that have to end together.

    If there are too many bad files, the error is passed to ``report`` instead of raised, and empty batches follow.
    These are counted, so that ``n`` is the same in all processes.
    """

    def __init__(self, batches: CountingIterator, report: Report) -> None:
        super().__init__(_then_nothing(batches, report), start=batches.n, total=len(batches))
        self.batches = batches

    def take(self, n: int) -> UntilBadFile:
        """End at batch ``n``, for `skip_remainder_batch`; fairseq asks its own batches whether the epoch has ended."""
        self.batches.take(n)
        super().take(n)
        return self


def _then_nothing(batches: CountingIterator, report: Report) -> Iterator[Any]:
    try:
        yield from batches
    except BadFileError as error:
        report(error)
        while True:
            yield {}


class ChecksPosition:
    """Mixed into an iterator whose position within an epoch depends on more than its batches."""

    def check_position(self, state_dict: Dict[str, Any]) -> None:
        """Raise ValueError for a saved position that means other samples here."""


class ResumableIterator(EpochBatchIterating):
    """fairseq's epoch iterator, whose saved position also identifies the data: a manifest, texts, images.

    A checkpoint holds an epoch and a number of batches to skip; in other data these would be other samples, some seen
    twice and some never. Raises :class:`ManifestChangedError` on such a resume, also between epochs, where most
    checkpoints are written. Where folders ``take_turns`` by epoch the next epoch has other data by design, so nothing
    is checked between epochs. Other batches of the same data would also mean other samples: within an epoch,
    :class:`BatchesChangedError` is raised if their number has changed.

    ``seeds`` are the generators of samples: a position also holds their rule, which a resumed run uses. ``report``
    receives the error of a file that ends the run, if it must not be raised here.
    """

    report: Optional[Report] = None
    batches: Optional[UntilBadFile] = None
    """The current epoch's, if ``report`` is set."""

    def __init__(
        self,
        iterator: EpochBatchIterating,
        manifest: Union[Path, str],
        digest: str,
        take_turns: bool = False,
        seeds: Optional[SampleSeeds] = None,
    ) -> None:
        self.iterator = iterator
        if not isinstance(iterator.collate_fn, InWorkers):
            iterator.collate_fn = InWorkers(iterator.collate_fn)
        self.manifest = manifest
        self.digest = digest
        self.take_turns = take_turns
        self.seeds = seeds

    def __len__(self) -> int:
        return len(self.iterator)

    def __getattr__(self, name: str) -> Any:
        if name == "iterator":  # not there yet, while it is unpickled
            raise AttributeError(name)
        return getattr(self.iterator, name)

    @property
    def next_epoch_idx(self) -> int:
        """The epoch that :meth:`next_epoch_itr` will give."""
        epoch: int = self.iterator.next_epoch_idx
        return epoch

    @property
    def iterations_in_epoch(self) -> int:
        """Batches taken from the current epoch."""
        taken: int = self.iterator.iterations_in_epoch
        return taken

    @property
    def first_batch(self) -> Any:
        """The replacement of an empty batch, marked as such: the first usable sample.

        fairseq uses the first batch, which may itself be empty; a wrapper uses the first batch of training, which may
        be empty too. A single sample is enough, since fairseq requests it in every epoch and validation but seldom
        needs it. Unusable files are skipped here and reported when their batch is read. Raises ValueError if there is
        no usable file.
        """
        dataset, batches = self.iterator.dataset, self.iterator.frozen_batches
        if not len(batches) or getattr(dataset, "supports_prefetch", False):
            return super().first_batch  # there is nothing to read, or not yet
        for index in (index for batch in batches for index in batch):
            try:
                batch = self.iterator.collate_fn([dataset[index]])
            except BadFileError:
                continue
            if batch:
                return {**batch, STAND_IN: True}
        raise ValueError(
            f"{self.manifest}: none of {len(dataset)} files can be used, expected at least one; see the reasons in "
            "the lines above"
        )

    def next_epoch_itr(self, *args: Any, **kwargs: Any) -> Any:
        """The batches of the next epoch."""
        batches = self.iterator.next_epoch_itr(*args, **kwargs)
        if self.report is None:
            return batches
        self.batches = UntilBadFile(batches, self.report)
        return self.batches

    def end_of_epoch(self) -> bool:
        """Whether the current epoch is used up."""
        return bool(self.iterator.end_of_epoch())

    def state_dict(self) -> Dict[str, Any]:
        """Return fairseq's position, the number of processes, the data's digest, the number of batches of all
        processes, and the seeds' rule."""
        known = {SHARDS: self.iterator.num_shards, KEY: self.digest, BATCHES: len(self.iterator.frozen_batches)}
        rule = {} if self.seeds is None else {RULE: self.seeds.rule}
        return {**self.iterator.state_dict(), **known, **rule}

    def load_state_dict(self, state_dict: Dict[str, Any]) -> None:
        """Continue at a saved position; raises :class:`ManifestChangedError` if it is of other data.

        Raises :class:`BatchesChangedError` if it is of other batches; checkpoints without this information are
        accepted.

        For folders that take turns, the start of an epoch is accepted for any of them: fairseq saves it with the digest
        of the finished epoch and loads it into the next one's iterator. Each process counts its own batches. With
        another number of processes, the position is the total number of batches seen, rounded down: a few samples may
        be seen twice in that epoch, none is skipped.
        """
        saved, position = state_dict.get(KEY, self.digest), state_dict.get("iterations_in_epoch", 0)
        if saved != self.digest and not (self.take_turns and position == 0):
            raise ManifestChangedError(
                f"{self.manifest} is not the data that the checkpoint was trained on (digest {self.digest}, expected "
                f"{saved}), so its position in the data is not valid: restore the old data, or start with the new "
                "data at epoch 1, keeping the trained weights: `checkpoint.reset_dataloader=true` in one launch"
            )
        ours = self.iterator.num_shards
        seen = position * state_dict.get(SHARDS, ours)
        if position > 0:
            if isinstance(self.iterator, ChecksPosition):
                self.iterator.check_position(state_dict)
            self._check_batches(seen, state_dict.get(BATCHES))
        if self.seeds is not None:
            self.seeds.go_on(state_dict.get(RULE))
        self.iterator.load_state_dict({**state_dict, "iterations_in_epoch": seen // ours})

    def _check_batches(self, seen: int, saved: Optional[int]) -> None:
        """Raise :class:`BatchesChangedError` unless an epoch has as many batches as when ``seen`` were counted."""
        found = len(self.iterator.frozen_batches)
        if saved is None or saved == found:
            return
        keys = ", ".join(f"`{key}`" for key in DECIDE_BATCHES)
        raise BatchesChangedError(
            f"{self.manifest}: the checkpoint was saved after {seen:,} of {saved:,} batches of an epoch, which now "
            f"has {found:,}, so its position would mean other samples. Restore the previous values of {keys}; or "
            "start with the new batches at epoch 1, keeping the trained weights: `checkpoint.reset_dataloader=true` "
            "in one launch"
        )
