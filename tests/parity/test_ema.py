"""The teacher after each recorded update, for every setting of what is averaged."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import pytest
from parity.cases import Case, audio_model, below, cases
from parity.following import assert_teacher_follows


def variants() -> List[Tuple[Case, str]]:
    return [(case, name) for case in cases("audio_*", "ema") for name in case.variants()]


@pytest.mark.parametrize(("case", "variant"), variants(), ids=str)
def test_teacher_follows_the_recorded_student(case: Case, variant: str) -> None:
    overrides: Dict[str, Any] = case.variants()[variant]
    prefix = f"{variant}." if variant else ""
    inputs, expected = (below(prefix, case.tensors(name)) for name in ("inputs", "expected"))
    model = audio_model(case.json("config")["model"], {}, **overrides)
    steps = case.json("meta")["steps"]
    assert_teacher_follows(model, inputs, expected, steps[variant] if variant else steps)
