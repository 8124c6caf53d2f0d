"""The teacher's decay, against the recorded tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict

import pytest

from data2vec_plugin.core.teacher import annealed_decay

TABLES = json.loads((Path(__file__).parents[1] / "fixtures" / "parity" / "schedules.json").read_text("utf-8"))


@pytest.mark.parametrize("table", TABLES["ema_decay"], ids=lambda table: table["what"])
def test_decay_at_every_recorded_update(table: Dict[str, Any]) -> None:
    ours = [annealed_decay(n, table["start"], table["end"], table["anneal_end_step"]) for n in table["updates"]]
    assert ours == pytest.approx(table["decay"], abs=1e-12)


def test_decay_stays_at_its_end() -> None:
    assert annealed_decay(10**9, 0.9, 0.99, 10) == 0.99
    assert annealed_decay(0, 0.9, 0.99, 0) == 0.99
    assert annealed_decay(3, 0.9, 0.9, 10) == 0.9
