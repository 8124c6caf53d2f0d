"""The table of the eight tasks, and what is published of them."""

import pytest

from data2vec_plugin.glue.scores import published_averages
from data2vec_plugin.glue.tasks import ROWS, TASKS, average, choose


def test_published_rows_give_the_published_averages() -> None:
    averages = {row: round(figure, 1) for row, figure in published_averages().items()}
    assert averages == {"data2vec": 82.7, "+ spans": 82.9, "RoBERTa": 82.5}


def test_mnli_counts_once() -> None:
    assert average([(80.0, 90.0), (55.0,)]) == pytest.approx(70.0)


def test_the_positive_class_is_the_second() -> None:  # F1 and Matthews' correlation count it
    for name in ("cola", "mrpc", "qqp", "sst_2"):
        assert TASKS[name].labels == ("0", "1")


def test_classes_and_dev_sets() -> None:
    assert {name: task.num_classes for name, task in TASKS.items() if task.num_classes != 2} == {"mnli": 3, "sts_b": 1}
    assert TASKS["mnli"].valid_splits == ("valid", "valid1")
    assert all(task.valid_splits == ("valid",) for name, task in TASKS.items() if name != "mnli")
    for task in TASKS.values():
        assert task.regression == (task.name == "sts_b")
        assert [len(score) for score in task.published] == [len(task.valid_splits)] * len(ROWS)


def test_tasks_go_by_either_name() -> None:
    assert [task.name for task in choose("rte, SST-2,stsb,rte")] == ["rte", "sst_2", "sts_b"]
    assert len(choose(None)) == 8


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("colar", "no task 'colar'; expected some of cola, mnli"),
        ("cola,wnli", r"no task 'wnli' \(too small"),
        (" , ", "--tasks is empty"),
    ],
)
def test_other_tasks_are_refused(names: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        choose(names)
