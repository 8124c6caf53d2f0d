"""The dev scores of every run, finished or not: the best of each run, the median over the seeds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

from ..files.unusable import some
from ..runs.training_log import read_training_log
from .runs import LOG, finished
from .tasks import ROWS, TASKS, Score, Task, average

SEED_FOLDER = re.compile(r"seed(\d+)")


@dataclass(frozen=True)
class RunScore:
    """The best dev score of one run, in percent; for MNLI, both sets at the update where the matched one is best."""

    seed: int
    score: Score
    update: int
    finished: bool

    @property
    def value(self) -> float:
        """The score that counts."""
        return mean(self.score)


@dataclass(frozen=True)
class TaskScores:
    """A task's runs that have a score, in order of seed, and the seeds of those that have none yet."""

    task: Task
    runs: tuple[RunScore, ...]
    without: tuple[int, ...] = ()

    @property
    def median(self) -> float:
        """The median over the seeds."""
        return median(run.value for run in self.runs)

    @property
    def medians(self) -> Score:
        """The median over the seeds of each dev set."""
        return tuple(median(figures) for figures in zip(*(run.score for run in self.runs)))

    @property
    def lowest(self) -> float:
        """The worst seed's."""
        return min(run.value for run in self.runs)

    @property
    def highest(self) -> float:
        """The best seed's."""
        return max(run.value for run in self.runs)

    @property
    def finished(self) -> bool:
        """Whether all runs are complete."""
        return not self.without and all(run.finished for run in self.runs)

    def as_json(self) -> dict[str, Any]:
        """The entry in report.json."""
        return {
            "metric": self.task.metric,
            "median": _rounded(self.median),
            "medians_of_dev_sets": dict(zip(self.task.valid_splits, map(_rounded, self.medians))),
            "min": _rounded(self.lowest),
            "max": _rounded(self.highest),
            "finished": self.finished,
            "runs": {
                str(run.seed): {
                    "score": _rounded(run.value),
                    "dev_sets": dict(zip(self.task.valid_splits, map(_rounded, run.score))),
                    "update": run.update,
                    "finished": run.finished,
                }
                for run in self.runs
            },
            "seeds_without_score": list(self.without),
            "published": published(self.task),
        }


def read_scores(out: Path) -> list[TaskScores]:
    """The scores of all tasks that have any, in the order of `TASKS`.

    Raises:
        ValueError: there are no runs in the folder, or none has a score.
    """
    found = [read_task(out, task) for task in TASKS.values() if (out / task.name).is_dir()]
    scored = [scores for scores in found if scores.runs]
    if scored:
        return scored
    begun = [f"{scores.task.name} seed {seed}" for scores in found for seed in scores.without]
    if begun:
        raise ValueError(f"{out}: no run has been validated yet ({some(begun)}); see their {LOG}")
    raise ValueError(
        f"{out}: no runs here; expected folders such as {out / 'cola' / 'seed1'} with a {LOG}, as "
        "`data2vec glue run --out` writes them"
    )


def read_task(out: Path, task: Task) -> TaskScores:
    """The scores of a task's seeds."""
    runs, without = [], []
    for seed, folder in seed_folders(out / task.name):
        score = read_run(folder, task, seed)
        if score is None:
            without.append(seed)
        else:
            runs.append(score)
    return TaskScores(task, tuple(runs), tuple(without))


def seed_folders(folder: Path) -> list[tuple[int, Path]]:
    """The folders of runs by seed."""
    named = [(SEED_FOLDER.fullmatch(path.name), path) for path in folder.iterdir() if (path / LOG).is_file()]
    return sorted((int(match[1]), path) for match, path in named if match)


def read_run(folder: Path, task: Task, seed: int) -> RunScore | None:
    """The best score in a run's log; None where there is none yet.

    Raises:
        ValueError: a validation was logged without the task's metric.
    """
    log = folder / LOG
    try:
        curves = read_training_log(log)
    except ValueError:  # it has just started, or failed before the first update
        return None
    splits = [dict(zip(*curves.get(f"{split}/{task.metric}", ((), ())))) for split in task.valid_splits]
    if "valid/num_updates" in curves and not splits[0]:
        raise ValueError(
            f"{log}: was validated, but has no `valid_{task.metric}`; train with the recipe's criterion, and "
            f"with criterion.report_{task.metric}=true if it has that key"
        )
    common = [update for update in splits[0] if all(update in split for split in splits)]
    if not common:
        return None
    best = max(common, key=lambda update: splits[0][update])  # the first of equals, which is the checkpoint kept
    return RunScore(seed, tuple(split[best] for split in splits), best, finished(log))


def published(task: Task) -> dict[str, float]:
    """The published results of a task by row; for MNLI, the mean of both."""
    return {row: _rounded(mean(score)) for row, score in zip(ROWS, task.published)}


def published_averages() -> dict[str, float]:
    """The published averages, from the tasks' results."""
    return {
        row: _rounded(average(task.published[number] for task in TASKS.values())) for number, row in enumerate(ROWS)
    }


def our_average(scores: list[TaskScores]) -> float | None:
    """The mean of the tasks' medians, once all eight have one."""
    return mean(task.median for task in scores) if len(scores) == len(TASKS) else None


def missing(scores: list[TaskScores]) -> list[str]:
    """The tasks that have no score."""
    there = {task.task.name for task in scores}
    return [name for name in TASKS if name not in there]


def _rounded(value: float) -> float:
    return round(value, 4)
