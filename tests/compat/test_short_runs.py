"""tri_stage by shares: runs of a few updates work, longer ones are as they were."""

from typing import Any, List

import pytest
import torch

scheduler = pytest.importorskip("fairseq.optim.lr_scheduler.tri_stage_lr_scheduler")

RATIO = [0.03, 0.9, 0.07]


class Optimizer(pytest.importorskip("fairseq.optim").FairseqOptimizer):
    """As little of an optimiser as a schedule needs."""

    def __init__(self) -> None:
        super().__init__(None)
        self._optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)


def config(max_update: int, **settings: Any) -> Any:
    cfg = scheduler.TriStageLRScheduleConfig(phase_ratio=RATIO, init_lr_scale=0.01, final_lr_scale=0.01)
    cfg.lr, cfg.max_update = [1.0], max_update
    for name, value in settings.items():
        setattr(cfg, name, value)
    return cfg


def rates(cfg: Any, make: Any = None) -> List[float]:
    made = scheduler.TriStageLRSchedule.__new__(scheduler.TriStageLRSchedule)
    (make or scheduler.TriStageLRSchedule.__init__)(made, cfg, Optimizer())
    return [made.step_update(update) for update in range(int(cfg.max_update) + 1)]


@pytest.mark.parametrize("max_update", [1, 2, 5, 14])
def test_a_run_without_room_for_a_decay_ends_at_the_final_rate(max_update: int) -> None:
    cfg = config(max_update)
    with pytest.raises((ZeroDivisionError, AssertionError)):
        rates(cfg, scheduler.TriStageLRSchedule.__init__.__wrapped__)
    found = rates(cfg)
    assert found[:-1] == [1.0] * max_update
    assert found[-1] == pytest.approx(0.01)
    assert cfg.phase_ratio == RATIO, "the configuration is written into checkpoints as it was given"


@pytest.mark.parametrize("max_update", [15, 100, 1000])
def test_longer_runs_are_unchanged(max_update: int) -> None:
    cfg = config(max_update)
    assert rates(cfg) == rates(cfg, scheduler.TriStageLRSchedule.__init__.__wrapped__)


def test_phases_by_steps_are_unchanged() -> None:
    cfg = config(10, phase_ratio=None, warmup_steps=2, hold_steps=3, decay_steps=5)
    assert rates(cfg) == rates(cfg, scheduler.TriStageLRSchedule.__init__.__wrapped__)
