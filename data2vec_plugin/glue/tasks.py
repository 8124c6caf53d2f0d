"""The eight tasks that are trained, and their published results.

GLUE has a ninth, WNLI, and a diagnostic set, AX; neither is in the published tables, and neither is prepared here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import mean

LEFT_OUT = {
    "WNLI": "too small and adversarial to its dev set: the published averages are without it",
    "SNLI": "is in some downloads, but not a task of GLUE",
    "AX": "the diagnostic set, which has no training data",
    "diagnostic": "the diagnostic set, which has no training data",
}
OFFICIAL_FILES = (("train", "train.tsv"), ("valid", "dev.tsv"), ("test", "test.tsv"))
MNLI_FILES = (
    ("train", "train.tsv"),
    ("valid", "dev_matched.tsv"),
    ("valid1", "dev_mismatched.tsv"),
    ("test", "test_matched.tsv"),
    ("test1", "test_mismatched.tsv"),
)
ROWS = ("data2vec", "+ spans", "RoBERTa")  # what `Task.published` gives: plain, with span masking, the baseline

Score = tuple[float, ...]  # in percent: one figure, or two for MNLI: matched, mismatched


@dataclass(frozen=True)
class Task:
    """A task's file format, its metric, and its published results.

    Attributes:
        name: the name in recipes, `glue_<name>.yaml`, and in output folders.
        folder: the folder in the official download.
        sentences: the names of the columns with the sentence, or both sentences.
        label: the name of the column with the label or score.
        labels: every label, in the order of the classes; none for a regression.
        metric: the name in fairseq's log of the metric that GLUE counts.
        metric_title: its name in the table: Matthews' correlation, accuracy, its mean with F1, the mean of two
            correlations.
        published: dev results in percent, one for each of `ROWS`.
        files: pairs of fairseq's split and the file.
        columns: columns of the train and dev files, if these have no header.
        highest: the largest regression target; targets are divided by it.
        has_faulty_lines: official train and dev files have lines with too many or too few columns.
        labelled_test: its test set has labels; GLUE's other test sets are unlabelled.
    """

    name: str
    folder: str
    sentences: tuple[str, ...]
    label: str
    labels: tuple[str, ...]
    metric: str
    metric_title: str
    published: tuple[Score, Score, Score]
    files: tuple[tuple[str, str], ...] = OFFICIAL_FILES
    columns: tuple[str, ...] = ()
    highest: float = 0.0
    has_faulty_lines: bool = False
    labelled_test: bool = False

    @property
    def regression(self) -> bool:
        """Whether the task predicts a number."""
        return not self.labels

    @property
    def num_classes(self) -> int:
        """Number of outputs of the head (`task.num_classes`)."""
        return len(self.labels) or 1

    @property
    def valid_splits(self) -> tuple[str, ...]:
        """The dev sets: valid, and for MNLI valid1, the mismatched one."""
        return tuple(split for split, _ in self.files if split.startswith("valid"))


_ENTAILMENT = ("entailment", "not_entailment")
_BINARY = ("0", "1")  # F1 and Matthews' correlation count class 1, so the order matters

TASKS: Mapping[str, Task] = {
    task.name: task
    for task in (
        Task(
            name="cola",
            folder="CoLA",
            sentences=("sentence",),
            label="label",
            labels=_BINARY,
            metric="mcc",
            metric_title="MCC",
            published=((62.2,), (60.3,), (56.8,)),
            columns=("source", "label", "mark", "sentence"),
        ),
        Task(
            name="mnli",
            folder="MNLI",
            sentences=("sentence1", "sentence2"),
            label="gold_label",
            labels=("entailment", "neutral", "contradiction"),
            metric="accuracy",
            metric_title="acc",
            published=((83.2, 83.0), (82.8, 83.4), (84.1, 83.9)),
            files=MNLI_FILES,
        ),
        Task(
            name="mrpc",
            folder="MRPC",
            sentences=("#1 String", "#2 String"),
            label="Quality",
            labels=_BINARY,
            metric="acc_and_f1",
            metric_title="acc+F1",
            published=((90.2,), (90.0,), (89.0,)),
        ),
        Task(
            name="qnli",
            folder="QNLI",
            sentences=("question", "sentence"),
            label="label",
            labels=_ENTAILMENT,
            metric="accuracy",
            metric_title="acc",
            published=((90.9,), (91.1,), (90.4,)),
        ),
        Task(
            name="qqp",
            folder="QQP",
            sentences=("question1", "question2"),
            label="is_duplicate",
            labels=_BINARY,
            metric="acc_and_f1",
            metric_title="acc+F1",
            published=((89.1,), (89.0,), (89.3,)),
            has_faulty_lines=True,
        ),
        Task(
            name="rte",
            folder="RTE",
            sentences=("sentence1", "sentence2"),
            label="label",
            labels=_ENTAILMENT,
            metric="accuracy",
            metric_title="acc",
            published=((67.0,), (69.9,), (69.3,)),
        ),
        Task(
            name="sst_2",
            folder="SST-2",
            sentences=("sentence",),
            label="label",
            labels=_BINARY,
            metric="accuracy",
            metric_title="acc",
            published=((91.8,), (92.4,), (92.3,)),
        ),
        Task(
            name="sts_b",
            folder="STS-B",
            sentences=("sentence1", "sentence2"),
            label="score",
            labels=(),
            metric="pearson_and_spearman",
            metric_title="corr.",
            published=((87.2,), (87.7,), (88.9,)),
            highest=5.0,
        ),
    )
}


def choose(names: str | None) -> list[Task]:
    """The tasks of a comma-separated list, in its order; all of them for None.

    `SST-2`, `sst_2` and `sst2` are the same task.

    Raises:
        ValueError: there is no such task, or the list is empty.
    """
    if names is None:
        return list(TASKS.values())
    known = {_plain(task.name): task for task in TASKS.values()}
    chosen: dict[str, Task] = {}
    for word in filter(None, (word.strip() for word in names.split(","))):
        task = known.get(_plain(word))
        if task is None:
            reason = next((f" ({why})" for name, why in LEFT_OUT.items() if _plain(name) == _plain(word)), "")
            raise ValueError(f"--tasks: no task {word!r}{reason}; expected some of {', '.join(TASKS)}")
        chosen[task.name] = task
    if not chosen:
        raise ValueError(f"--tasks is empty; expected some of {', '.join(TASKS)}")
    return list(chosen.values())


def average(scores: Iterable[Score]) -> float:
    """GLUE's average of the tasks' scores in percent; MNLI counts once, with the mean of its two."""
    return mean(mean(score) for score in scores)


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")
