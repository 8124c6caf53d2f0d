"""Of several processes the first goes first, and the others are let go also if it fails."""

from __future__ import annotations

from typing import List

import pytest
import torch

from data2vec_plugin.data.first_process import first_process_first


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> List[str]:
    made: List[str] = []
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "barrier", lambda: made.append("barrier"))
    return made


@pytest.mark.parametrize(("rank", "expected"), [(0, ["work", "barrier"]), (1, ["barrier", "work"])])
def test_others_wait_for_the_first(
    rank: int, expected: List[str], steps: List[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: rank)
    with first_process_first():
        steps.append("work")
    assert steps == expected


def test_they_are_let_go_if_it_fails(steps: List[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 0)
    with pytest.raises(ValueError, match="no"), first_process_first():
        raise ValueError("no")
    assert steps == ["barrier"]


def test_one_process_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.distributed, "barrier", lambda: pytest.fail("waited"))
    with first_process_first():
        pass
