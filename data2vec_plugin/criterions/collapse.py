"""A guard against collapse: a student and teacher that agree on a constant have a loss of zero and learn nothing."""

from dataclasses import dataclass
from typing import Dict


class CollapseError(RuntimeError):
    """Targets or predictions have not varied for too long."""


ADVICE = {
    "target_var": "the teacher's targets hardly vary: lower `optimization.lr`, warm up longer, raise "
    "`model.ema_decay` or `model.ema_anneal_end_step`, or normalise targets (`model.instance_norm_target_layer`)",
    "pred_var": "the student predicts a constant: lower `optimization.lr` or warm up longer, "
    "raise `model.average_top_k_layers`, or mask less (`model.mask_prob`)",
}


@dataclass
class CollapseGuard:
    """Raises once a deviation has stayed under its floor for ``patience`` observed updates in a row.

    Observations up to update ``start`` are not held against a run: early targets are poor.
    """

    floors: Dict[str, float]
    start: int = 5000
    patience: int = 100

    def __post_init__(self) -> None:
        self.low: Dict[str, int] = dict.fromkeys(self.floors, 0)

    def observe(self, name: str, deviation: float, update: int) -> None:
        """Take note of one update; raises :class:`CollapseError` that names the knob."""
        floor = self.floors[name]
        if update <= self.start or deviation >= floor:
            self.low[name] = 0
            return
        self.low[name] += 1
        if self.low[name] >= self.patience:
            raise CollapseError(
                f"training has collapsed: {name} is {deviation:.4f}, under {floor} for {self.patience} updates in a "
                f"row at update {update}; {ADVICE[name]}. Go on from an earlier checkpoint with that changed, or set "
                f"`criterion.collapse_patience=0` to go on regardless"
            )
