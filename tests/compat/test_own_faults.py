"""What fails in fairseq itself works; what works is as it was."""

import logging
from types import ModuleType
from typing import Any, List, Optional, Tuple

import forks
import pytest
import torch

scheduler = pytest.importorskip("fairseq.optim.lr_scheduler.tri_stage_lr_scheduler")
ema = pytest.importorskip("fairseq.models.ema.ema")

from fairseq.dataclass.configs import EMAConfig  # noqa: E402
from fairseq.dataclass.utils import merge_with_parent  # noqa: E402
from fairseq.optim import composite  # noqa: E402
from omegaconf import OmegaConf  # noqa: E402

from data2vec_compat.patches import own_faults  # noqa: E402

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


class Model(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.register_buffer("index", torch.arange(3))


@pytest.mark.parametrize("fp32", [False, True])
def test_integers_are_copied_and_weights_averaged(fp32: bool) -> None:
    model = Model()
    average = ema.EMA(model, EMAConfig(store_ema=True, ema_decay=0.75, ema_fp32=fp32))
    model.weight.data.fill_(5)
    model.index += 1
    average.step(model, 1)
    assert average.get_model().weight.item() == 2
    assert average.get_model().index.tolist() == [1, 2, 3]


def test_stock_fairseq_cannot() -> None:
    average = ema.EMA.__new__(ema.EMA)
    ema.EMA.__init__.__wrapped__(average, Model(), EMAConfig(store_ema=True))
    with pytest.raises(RuntimeError, match="can't be cast"):
        average.step(Model(), 1)


ENDS_WITHIN_AN_EPOCH = """
import torch
from fairseq.data.iterators import BufferedIterator
torch.set_num_threads(1)

class Source:
    def __len__(self):
        return 100_000
    def __iter__(self):
        for _ in range(len(self)):
            yield [torch.rand(50, 50) @ torch.rand(50, 50) for _ in range(20)]

buffered = BufferedIterator(10, Source())
for _ in range(5):
    next(buffered)
print("done")
"""


@pytest.mark.parametrize("run", range(3))
def test_a_run_that_stops_within_an_epoch_ends_well(run: int) -> None:
    done = forks.python(["-c", ENDS_WITHIN_AN_EPOCH], timeout=60)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


ADAM = {"_name": "adam", "adam_betas": [0.9, 0.95], "tpu": False}
GROUP = {"lr_float": 0.1, "lr_scheduler": {"_name": "fixed"}, "optimizer": ADAM}


def groups(name: str) -> Any:
    return merge_with_parent(composite.CompositeOptimizerConfig(), OmegaConf.create({"groups": {name: GROUP}}))


def build(name: str) -> Tuple[List[torch.nn.Parameter], Any]:
    parameters = [torch.nn.Parameter(torch.ones(1)) for _ in range(2)]
    for parameter in parameters:
        parameter.param_group = name  # type: ignore[attr-defined]
        parameter.grad = torch.ones(1)
    return parameters, composite.FairseqCompositeOptimizer(groups(name), parameters)


def test_a_second_optimizer_does_not_step_the_first() -> None:
    others, first = build("decoder")
    parameters, second = build("default")
    second.step()
    assert [value.item() for value in others] == [1.0, 1.0]
    assert [value.item() for value in parameters] == pytest.approx([0.9, 0.9])
    assert [list(optimizer.optimizers) for optimizer in (first, second)] == [["decoder"], ["default"]]


@pytest.mark.parametrize(("asked", "kept"), [(None, logging.INFO), ("debug", logging.DEBUG)])
def test_no_import_sets_the_level_of_all_logs(asked: Optional[str], kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    before, package = root.level, ModuleType("fairseq.models.wav2vec")
    package.wav2vec2_classification = ModuleType("wav2vec2_classification")  # type: ignore[attr-defined]
    monkeypatch.setenv("LOGLEVEL", asked) if asked else monkeypatch.delenv("LOGLEVEL", raising=False)
    try:
        root.setLevel(logging.DEBUG)  # as fairseq main's module does
        assert own_faults.not_for_debugging(package) == (asked is None)
        assert root.level == kept
        root.setLevel(logging.WARNING)
        assert not own_faults.not_for_debugging(package)
    finally:
        root.setLevel(before)
