"""The teacher after each recorded update, for every setting of what is averaged."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import pytest
import torch
from parity.cases import TEACHER, Case, audio_model, below, cases, differences

from data2vec_plugin.core.teacher import FORMAT_KEY, UPDATES_KEY


def variants() -> List[Tuple[Case, str]]:
    return [(case, name) for case in cases("audio_*", "ema") for name in case.variants()]


@pytest.mark.parametrize(("case", "variant"), variants(), ids=str)
def test_teacher_follows_the_recorded_student(case: Case, variant: str) -> None:
    overrides: Dict[str, Any] = case.variants()[variant]
    prefix = f"{variant}." if variant else ""
    inputs, expected = (below(prefix, case.tensors(name)) for name in ("inputs", "expected"))
    model = audio_model(case.json("config")["model"], {}, **overrides)
    teacher = model.method.ensure_teacher()
    initial = below("teacher.0.", expected)
    model.layout.teacher_from_upstream(initial)
    teacher.load_state_dict(initial, fallback_updates=0)
    student = dict(model.method.named_parameters())
    steps = case.json("meta")["steps"]
    for step in steps[variant] if variant else steps:
        moved = below(f"student.{step['step']}.", inputs)
        model.layout.teacher_from_upstream(moved)
        for name, recorded in moved.items():
            student[name].data.copy_(recorded)
        model.set_num_updates(step["num_updates"])
        state = model.state_dict()["_ema"]
        recorded_teacher = below(f"teacher.{step['step']}.", expected)
        assert set(state) - {UPDATES_KEY, FORMAT_KEY} == set(recorded_teacher)
        assert not list(differences(state, recorded_teacher, TEACHER))
        assert teacher.decay == pytest.approx(float(expected[f"decay.{step['step']}"]), abs=1e-12)
        assert torch.equal(state[UPDATES_KEY], torch.tensor(step["num_updates"]))
