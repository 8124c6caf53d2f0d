"""Two starts of one classifier, pre-trained and from scratch: trained the same way, tested, tabulated and plotted."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .drawing import BLUE, GREY
from .panels import caption, finish, line
from .stages import Command, Stage
from .training_log import Series

ACCURACY = re.compile(r'"(?:test_)?accuracy": "?(?P<percent>[\d.]+)')
STARTS = (("finetune", "pretrained"), ("scratch", "scratch"))
"""The stage of each start, and its name in report.json."""


def both_starts(
    out: Path, data: str, train: Callable[[str], Command], scratch: str, test: Callable[[str], Command], updates: int
) -> list[Stage]:
    """List the stages that train and test a classifier from pre-trained weights and from scratch.

    Args:
        out: the folder of all results.
        data: the stage that prepares the labelled examples.
        train: returns the training command that writes to a given folder within `out`.
        scratch: the option added to it to start from scratch.
        test: returns the command that scores the best checkpoint in such a folder.
        updates: number of updates of each training.
    """
    starts = (("finetune", "fine-tune from it", ()), ("scratch", "train the same from scratch", (scratch,)))
    titles = {"finetune": "pre-trained", "scratch": "from scratch"}
    return [
        *(
            Stage(name, title, (*train(name), *extra), out / name, after=(data, "pretrain"), updates=updates)
            for name, title, extra in starts
        ),
        *(
            Stage(f"test-{name}", f"test it ({title})", test(name), out / name, after=(name,), logged=True)
            for name, title in titles.items()
        ),
    ]


def read_accuracy(log: Path) -> float:
    """Return the accuracy, in percent, that fairseq-validate printed last.

    Raises:
        ValueError: it printed none.
    """
    found = ACCURACY.findall(log.read_text(encoding="utf-8")) if log.is_file() else []
    if not found:
        raise ValueError(f"{log}: fairseq-validate printed no accuracy; see the end of the log")
    return float(found[-1])


def accuracy_rows(report: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return the rows of the table that compares both starts and the largest class."""
    return [
        ("accuracy", *(f"{report[f'accuracy_{start}']:.1f} %" for start in ("pretrained", "scratch", "majority"))),
        ("updates without labels", str(report["updates_pretraining"]), "-", "-"),
        ("updates with labels", *[str(report["updates_finetuning"])] * 2, "-"),
    ]


def draw_accuracy(axes: Any, logs: dict[str, dict[str, Series]], majority: float, what: str) -> None:
    """Accuracy of both starts on the valid examples, named by `what`, over updates."""
    line(axes, logs["finetune"].get("valid/accuracy"), "pre-trained", BLUE, marker="o")
    line(axes, logs["scratch"].get("valid/accuracy"), "from scratch", GREY, marker="o")
    finish(axes, f"Fine-tuning: valid {what}", "accuracy (%)")
    axes.set_ylim(0, 105)
    axes.axhline(majority, color=GREY, linestyle=":", linewidth=1)
    caption(
        axes,
        "Dotted: always answering with the largest class. The checkpoint that is best here is\nthe one that is tested.",
    )
