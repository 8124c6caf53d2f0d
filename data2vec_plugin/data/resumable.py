"""An epoch iterator that knows which data it counts in."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Optional, Union

from fairseq.data.iterators import CountingIterator, EpochBatchIterating

from .bad_files import BadFileError
from .loader_workers import InWorkers
from .sample_seeds import SampleSeeds

Met = Callable[[BadFileError], None]

KEY = "data2vec_manifest"
SHARDS = "data2vec_shards"
BATCHES = "data2vec_batches"
RULE = "data2vec_sample_seeds"

DECIDE_BATCHES = (
    *("dataset.max_tokens", "dataset.batch_size", "dataset.required_batch_size_multiple"),
    *("task.min_sample_size", "task.max_sample_size"),
)
"""The keys that say which samples share a batch, in one task or another."""

STAND_IN = "stand_in"
"""Marks the batch that a process is given where it has none; nothing of it may count."""


class ManifestChangedError(ValueError):
    """The data of a resumed run is not the data that its checkpoint counted in."""


class BatchesChangedError(ValueError):
    """A run that stopped within an epoch goes on with the same data in other batches."""


class UntilBadFile(CountingIterator):  # type: ignore[misc]
    """fairseq's batches, for processes that have to end together.

    A bad file too many is told to ``met``, not raised, and empty batches follow it. These count, too: ``n`` is the same
    in all processes.
    """

    def __init__(self, batches: CountingIterator, met: Met) -> None:
        super().__init__(_then_nothing(batches, met), start=batches.n, total=len(batches))
        self.batches = batches

    def take(self, n: int) -> UntilBadFile:
        """End at batch ``n``, for `skip_remainder_batch`; fairseq asks its own batches whether the epoch has ended."""
        self.batches.take(n)
        super().take(n)
        return self


def _then_nothing(batches: CountingIterator, met: Met) -> Iterator[Any]:
    try:
        yield from batches
    except BadFileError as error:
        met(error)
        while True:
            yield {}


class ChecksPosition:
    """Mixed into an iterator whose position within an epoch depends on more than its batches."""

    def check_position(self, state_dict: Dict[str, Any]) -> None:
        """Raise ValueError for a saved position that means other samples here."""


class ResumableIterator(EpochBatchIterating):
    """fairseq's epoch iterator, whose saved position also says of which data: a manifest, texts, pictures.

    A checkpoint holds an epoch and a number of batches to pass over; in other data these would be other samples,
    some seen twice and some never. Raises :class:`ManifestChangedError` on such a resume, also between epochs, where
    most checkpoints are written. Where folders ``take_turns`` by epoch the next one's data is another by right, so
    that between epochs nothing is asked.
    In other batches of the same data it would be other samples, too: within an epoch, :class:`BatchesChangedError` is
    raised where there are more of them, or fewer.

    ``seeds`` are what samples are drawn by: a position says by which rule, and whoever goes on from it has that one.

    ``met`` takes note of a file that ends the run, if that must not be raised here.
    """

    met: Optional[Met] = None
    batches: Optional[UntilBadFile] = None
    """The current epoch's, if ``met`` is there."""

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
        """What stands in for a batch that holds nothing, marked as such: the first sample that can be used.

        fairseq's own is the first batch, which may hold nothing itself; that of a wrapper is the first that training
        meets, which may too. One sample has to do, since fairseq asks in every epoch and every validation, and seldom
        needs it. Files that cannot be used are passed over: whoever reads their batch will meet them. Raises ValueError
        if there is no other.
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
            f"{self.manifest}: none of {len(dataset)} files can be used, expected one at least; the lines above say "
            f"what is wrong with each"
        )

    def next_epoch_itr(self, *args: Any, **kwargs: Any) -> Any:
        """The batches of the next epoch."""
        batches = self.iterator.next_epoch_itr(*args, **kwargs)
        if self.met is None:
            return batches
        self.batches = UntilBadFile(batches, self.met)
        return self.batches

    def end_of_epoch(self) -> bool:
        """Whether the current epoch is used up."""
        return bool(self.iterator.end_of_epoch())

    def state_dict(self) -> Dict[str, Any]:
        """fairseq's position, of how many processes, the data's digest, all processes' batches, and the seeds' rule."""
        known = {SHARDS: self.iterator.num_shards, KEY: self.digest, BATCHES: len(self.iterator.frozen_batches)}
        rule = {} if self.seeds is None else {RULE: self.seeds.rule}
        return {**self.iterator.state_dict(), **known, **rule}

    def load_state_dict(self, state_dict: Dict[str, Any]) -> None:
        """Go to a saved position; raises :class:`ManifestChangedError` if it is of other data.

        Raises :class:`BatchesChangedError` if it is of other batches; checkpoints that do not tell are believed.

        Of folders that take turns the beginning of an epoch is a position in any: fairseq saves it with the digest of
        the epoch that has ended, and loads it into the next one's iterator.
        Each process counts its own batches. On another number of processes the position is what all of them had
        seen together, rounded down: a few samples may be seen twice in that epoch, none is left out.
        """
        saved, position = state_dict.get(KEY, self.digest), state_dict.get("iterations_in_epoch", 0)
        if saved != self.digest and not (self.take_turns and position == 0):
            raise ManifestChangedError(
                f"{self.manifest} is not the data that the checkpoint was trained on (digest {self.digest}, "
                f"expected {saved}), so its position in the data means nothing: put the old data back, or begin with "
                f"the new, at epoch 1 and with all that was learnt, by `checkpoint.reset_dataloader=true` in one launch"
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
            f"{self.manifest}: the checkpoint was saved after {seen:,} of {saved:,} batches of an epoch, which now has "
            f"{found:,}, so that its position means other samples. Put back what has changed of {keys}; or begin with "
            f"the new batches, at epoch 1 and with all that was learnt, by `checkpoint.reset_dataloader=true` in one "
            f"launch"
        )
