"""A tri-stage schedule given as shares divides by the updates of its last phase, of which a short run has none."""

import copy
import functools
from types import ModuleType
from typing import Any

from data2vec_compat.registry import patch


@patch(
    "short runs",
    "fairseq.optim.lr_scheduler.tri_stage_lr_scheduler",
    why="a tri_stage schedule by phase_ratio raises ZeroDivisionError in runs of a few updates",
)
def mend(module: ModuleType) -> bool:
    """Gives the last phase one update where rounding left it none."""
    scheduler = module.TriStageLRSchedule
    stock = scheduler.__init__

    @functools.wraps(stock)
    def init(self: Any, cfg: Any, optimizer: Any) -> None:
        stock(self, _with_a_decay(cfg), optimizer)

    scheduler.__init__ = init
    return True


def _with_a_decay(cfg: Any) -> Any:
    ratio = cfg.phase_ratio
    if ratio is None or int(cfg.max_update * ratio[2]) > 0:
        return cfg
    cfg = copy.deepcopy(cfg)
    cfg.warmup_steps, cfg.hold_steps, cfg.decay_steps = int(cfg.max_update * ratio[0]), 0, 1
    cfg.hold_steps = max(int(cfg.max_update) - cfg.warmup_steps - 1, 0)
    cfg.phase_ratio = None
    return cfg
