"""fairseq's messages on its own steps, which a console for people omits or shortens; log files hold them all."""

from __future__ import annotations

import logging
import re

CHATTER = {
    "fairseq_cli.train": (
        "task: ",
        "model: ",
        "criterion: ",
        "num. shared model params: ",
        "num. expert model params: ",
        "training on ",
        "max tokens per device = ",
        "Start iterating over samples",
        "begin validation on ",
        "end of epoch ",
        "Stopping training due to num_updates",
    ),
    "fairseq.trainer": (
        "Preparing to load checkpoint ",
        "No existing checkpoint found ",
        "loading train data for epoch ",
        "begin training epoch ",
        "Saving checkpoint to ",
        "Finished saving checkpoint to ",
    ),
    "fairseq.checkpoint_utils": ("Preparing to save checkpoint ",),
    "fairseq.data.iterators": ("grouped total_num_itrs = ",),
    "fairseq.utils": ("***", "rank "),
}
"""How they begin, by logger. Their content is also in the plan or the lines of statistics, or is obvious."""
OF_MAIN = {
    "fairseq.tasks.fairseq_task": (
        "can_reuse_epoch_itr = ",
        "reuse_dataloader = ",
        "rebuild_batches = ",
        "batches will be rebuilt for each epoch",
        "creating new batches for epoch ",
    ),
}
"""The same for messages that only fairseq's main branch logs."""

SAVED = re.compile(
    r"Saved checkpoint (?P<path>.+) \(epoch \d+ @ (?P<updates>\d+) updates, score .+\) "
    r"\(writing took (?P<seconds>[\d.e+-]+) seconds\)"
)


def is_chatter(record: logging.LogRecord) -> bool:
    """Whether a console for people omits a record."""
    beginnings = (*CHATTER.get(record.name, ()), *OF_MAIN.get(record.name, ()))
    return record.levelno <= logging.INFO and record.getMessage().startswith(beginnings)


def reworded(record: logging.LogRecord) -> str:
    """Return the text of a record, shorter for fairseq's message on a saved checkpoint.

    >>> line = "Saved checkpoint a/checkpoint_best.pt (epoch 1 @ 1200 updates, score 4.7) (writing took 0.4370 seconds)"
    >>> reworded(logging.makeLogRecord({"msg": line}))
    'checkpoint at update 1,200: a/checkpoint_best.pt (0.4 s)'
    """
    message = record.getMessage()
    saved = SAVED.fullmatch(message)
    if saved is None:
        return message
    return f"checkpoint at update {int(saved['updates']):,}: {saved['path']} ({float(saved['seconds']):.1f} s)"
