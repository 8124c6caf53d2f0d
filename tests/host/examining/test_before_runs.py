"""The checks before a run: what the first process finds ends all of them."""

from types import SimpleNamespace
from typing import Any, List

import pytest

from data2vec_plugin.host.examining import before_runs
from data2vec_plugin.host.watching import together


@pytest.mark.parametrize("rank", [0, 1])
def test_all_processes_raise_what_the_first_one_finds(rank: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: List[str] = []

    def gather(text: str, group: Any, max_size: int) -> List[str]:
        sent.append(text)
        return ["train.tsv:2: a.wav: cannot be read", ""]

    def check(task: Any, model: Any, cfg: Any, findings: before_runs.Findings) -> None:
        assert rank == 0, "only the first process checks"
        findings.refuse("train.tsv:2: a.wav: cannot be read")

    monkeypatch.setattr(before_runs, "check_training", check)
    monkeypatch.setattr(together.distributed_utils, "all_gather_list", gather)
    trainer = SimpleNamespace(
        **{"data_parallel_rank": rank, "data_parallel_world_size": 2, "data_parallel_process_group": None},
        **{"task": None, "cfg": None, "get_model": lambda: None},
    )
    with pytest.raises(ValueError, match=r"train\.tsv:2: a\.wav: cannot be read"):
        before_runs.before_training(trainer)
    assert sent == ["train.tsv:2: a.wav: cannot be read" if rank == 0 else ""]


def test_nothing_is_raised_where_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together.distributed_utils, "all_gather_list", lambda text, *_, **__: [text, ""])
    assert before_runs.first_process_findings(before_runs.Findings(), None).found == []
