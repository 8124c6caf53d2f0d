"""What recordings of a teacher are held against, for models of whatever kind."""

from __future__ import annotations

from typing import Any, Dict, List

import pytest
import torch
from parity.cases import TEACHER, Tensors, below, differences

from data2vec_plugin.core.teacher import FORMAT_KEY, UPDATES_KEY


def assert_teacher_follows(model: Any, inputs: Tensors, expected: Tensors, steps: List[Dict[str, Any]]) -> None:
    """The teacher after each recorded step of its student's parameters, all of which are recorded."""
    teacher = model.method.ensure_teacher()
    student = {name: p for name, p in model.method.named_parameters() if name in teacher.fp32}
    initial = below("teacher.0.", expected)
    model.layout.teacher_from_upstream(initial)
    teacher.load_state_dict(initial, fallback_updates=0)
    for step in steps:
        moved = below(f"student.{step['step']}.", inputs)
        model.layout.teacher_from_upstream(moved)
        assert set(moved) == set(student)
        for name, recorded in moved.items():
            student[name].data.copy_(recorded)
        model.set_num_updates(step["num_updates"])
        state = model.state_dict()["_ema"]
        recorded_teacher = below(f"teacher.{step['step']}.", expected)
        assert set(state) - {UPDATES_KEY, FORMAT_KEY} == set(recorded_teacher)
        assert not list(differences(state, recorded_teacher, TEACHER))
        assert teacher.decay == pytest.approx(float(expected[f"decay.{step['step']}"]), abs=1e-12)
        assert torch.equal(state[UPDATES_KEY], torch.tensor(step["num_updates"]))
