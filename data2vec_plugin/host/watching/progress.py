"""Statistics of a run as lines for people on its console, and as JSON in its log files.

Each is one record: its message is fairseq's JSON, which files write; the console shows the text that is attached to it.
"""

from __future__ import annotations

import logging
import sys
import time
from contextlib import contextmanager
from typing import Any, Iterator, List, Optional

from fairseq.logging import progress_bar as fairseq_bars

from ..launching.ours import trains
from ..launching.sweep_logs import is_open
from .console import GREEN, HIDDEN, Readable, is_readable
from .plan import goal_updates, updates_in_epoch
from .statistics import duration, scores, speed, steps

EPOCH = "train"
"""fairseq's tag of the statistics of an epoch; those of a validation have the split's name."""


class Pace:
    """How fast a run is, and when it ends.

    Args:
        goal: the update at which the run ends, or 0 where that is not known.
        done: the updates that were made before.
        now: seconds on any clock.
    """

    def __init__(self, goal: int, done: int, now: float) -> None:
        self.goal, self._done, self._begin = goal, done, now
        self._last, self._since = done, now
        self.intervals = 0
        """How many of them have had a line."""

    def pause(self, seconds: float) -> None:
        """Exclude a time without updates from the speed; it still counts for the remaining time."""
        self._since += seconds

    def parts(self, update: int, now: float) -> List[str]:
        """Return the speed since the last line, and the remaining time."""
        shown: List[str] = []
        self.intervals += 1
        made, seconds = update - self._last, now - self._since
        if made > 0 and seconds > 0:
            shown.append(speed(made / seconds))
        if self.goal > update > self._done:
            shown.append(f"{duration((now - self._begin) * (self.goal - update) / (update - self._done))} left")
        self._last, self._since = update, now
        return shown

    def position(self, update: int) -> str:
        """How far the run is."""
        return f"update {update:,}/{self.goal:,}" if self.goal else f"update {update:,}"


_pace: Optional[Pace] = None


@contextmanager
def paced(cfg: Any, trainer: Any, epoch_itr: Any) -> Iterator[None]:
    """Context of an epoch of a training, whose clock starts at its first epoch."""
    global _pace
    if is_readable():
        if getattr(trainer, "pace", None) is None:
            goal = goal_updates(cfg, updates_in_epoch(cfg, epoch_itr))
            trainer.pace = Pace(goal, trainer.get_num_updates(), time.monotonic())
        _pace = trainer.pace
    try:
        yield
    finally:
        _pace = None


def progress_bar(
    stock: Any, iterator: Any, log_format: Any = None, *args: Any, log_file: Any = None, **kwargs: Any
) -> Any:
    """Return fairseq's progress bar; if no format was chosen and the console is for people, ours around its JSON bar.

    While a data2vec run trains, the log file is opened once: fairseq opens it for each epoch, and repeats each line.
    """
    if log_file is not None and not (trains() and is_open(fairseq_bars.logger, log_file)):
        kwargs["log_file"] = log_file
    if log_format is not None or not is_readable() or (_pace is None and sys.stderr.isatty()):
        return stock(iterator, log_format, *args, **kwargs)
    wrapped = stock(iterator, "json", *args, **kwargs)
    return DecodingBar(wrapped) if _pace is None else TrainingBar(wrapped, _pace, kwargs.get("epoch"))


class ReadableBar(fairseq_bars.BaseProgressBar):  # type: ignore[misc]
    """Attaches lines for people to the statistics that another bar logs."""

    def __init__(self, wrapped_bar: Any) -> None:
        self.wrapped_bar, self.begin = wrapped_bar, time.monotonic()

    def __len__(self) -> int:
        return len(self.wrapped_bar)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.wrapped_bar)

    def update_config(self, config: Any) -> None:
        """Pass the run's configuration on, for curves that are drawn elsewhere."""
        self.wrapped_bar.update_config(config)


class TrainingBar(ReadableBar):
    """An epoch of a training, or a validation in it."""

    def __init__(self, wrapped_bar: Any, pace: Pace, epoch: Optional[int]) -> None:
        super().__init__(wrapped_bar)
        self.pace, self.epoch, self.first = pace, epoch, pace.intervals

    def log(self, stats: Any, tag: Optional[str] = None, step: Optional[int] = None) -> None:
        """Log an interval of training."""
        update = int(step or 0)
        parts = [*scores(stats), *steps(stats), *self.pace.parts(update, time.monotonic())]
        with shown_as(Readable(self.pace.position(update), joined(parts))):
            self.wrapped_bar.log(stats, tag=tag, step=step)

    def print(self, stats: Any, tag: Optional[str] = None, step: Optional[int] = None) -> None:
        """Log a validation or an epoch."""
        place = f" at update {step or 0:,}"
        if tag != EPOCH:
            self.pace.pause(time.monotonic() - self.begin)
            line = Readable(f"{tag}{place}", joined(scores(stats)), GREEN)
        elif self._sums_up():
            line = Readable(f"epoch {self.epoch}{place}", joined(scores(stats)))
        else:
            line = HIDDEN
        with shown_as(line):
            self.wrapped_bar.print(stats, tag=tag, step=step)

    def _sums_up(self) -> bool:
        """Whether an epoch's line says anything: it is of several intervals, or there has been no interval yet."""
        return self.pace.intervals - self.first > 1 or self.pace.intervals == 0


class DecodingBar(ReadableBar):
    """The batches that `fairseq-generate` decodes."""

    seen = 0

    def __iter__(self) -> Iterator[Any]:
        for batch in self.wrapped_bar:
            self.seen += 1
            yield batch

    def log(self, stats: Any, tag: Optional[str] = None, step: Optional[int] = None) -> None:
        """Log a batch; the last one of an interval is shown."""
        seconds, batches = time.monotonic() - self.begin, len(self)
        left = f"{duration(seconds * (batches - self.seen) / max(self.seen, 1))} left"
        with shown_as(Readable(f"decoded {self.seen:,}/{batches:,} batches", joined([left]))):
            self.wrapped_bar.log(stats, tag=tag, step=step)


@contextmanager
def shown_as(readable: Readable) -> Iterator[None]:
    """Context in which the console shows ``readable`` for what fairseq's bar logs."""

    def attach(record: logging.LogRecord) -> bool:
        record.readable = readable
        return True

    logger = fairseq_bars.logger
    logger.addFilter(attach)
    try:
        yield
    finally:
        logger.removeFilter(attach)


def joined(parts: List[str]) -> str:
    """Join the parts that follow the head of a line."""
    return "".join(f"  {part}" for part in parts)
