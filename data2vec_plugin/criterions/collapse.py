"""Guards against learning nothing: targets that are constant, and targets that are trivially predictable."""

import logging
from dataclasses import dataclass
from typing import Dict, Optional

logger = logging.getLogger(__name__)


class CollapseError(RuntimeError):
    """Targets or predictions have not varied for too long."""


ADVICE = {
    "target_var": "the teacher's targets hardly vary: lower `optimization.lr`, warm up longer, raise "
    "`model.ema_decay` (with `model.ema_end_decay`), or normalise targets (`+model.layer_norm_targets=true`)",
    "pred_var": "the student's predictions are nearly constant: lower `optimization.lr`, warm up longer, raise "
    "`model.average_top_k_layers`, or mask less ({masks})",
    "local_var": "the student's embeddings are nearly the same everywhere, whatever the targets: lower "
    "`optimization.lr`, "
    "warm up longer, or reduce the gradient of the feature extractor (speech: `+model.feature_grad_mult=0.1`; "
    "data2vec 2.0: `+model.modalities.audio.local_grad_mult=0.1`)",
}
MASKS = "speech: `model.mask_prob`; text: `task.mask_prob`; images: `model.num_mask_patches`"
"""Keys that set how much is masked, for models that do not name theirs."""

WARNED_EARLY = ("target_var",)
"""Not ``pred_var``: even good students predict almost a constant for their first one or two hundred updates."""


@dataclass
class CollapseGuard:
    """Raises an error once a deviation has stayed under its floor for ``patience`` observed updates in a row.

    No error is raised up to update ``start``, since early targets are poor. Targets that hardly vary for ``patience``
    updates then only cause a warning, since a short run may end before ``start``.
    """

    floors: Dict[str, float]
    start: int = 5000
    patience: int = 100

    def __post_init__(self) -> None:
        self.low: Dict[str, int] = {}
        self.low_early: Dict[str, int] = {}

    def observe(self, name: str, deviation: float, update: int, mask_key: Optional[str] = None) -> None:
        """Record one update; raises :class:`CollapseError`, which names the settings to change. ``name`` is that
        of a floor, or one with a modality, which is watched separately. ``mask_key`` sets how much is masked.
        """
        early = update <= self.start
        low = self.low_early if early else self.low
        kind = next(floor for floor in self.floors if name.startswith(floor))
        low[name] = low.get(name, 0) + 1 if deviation < self.floors[kind] else 0
        if low[name] < self.patience:
            return
        seen = (
            f"{name} is {deviation:.4f}, below {self.floors[kind]} for {self.patience} updates in a row at update "
            f"{update}; {ADVICE[kind].format(masks=f'`{mask_key}`' if mask_key else MASKS)}"
        )
        if not early:
            raise CollapseError(
                f"training has collapsed: {seen}. Resume from an earlier checkpoint with these changes, or set "
                "`+criterion.collapse_patience=0` to continue regardless"
            )
        if kind in WARNED_EARLY and low[name] == self.patience:
            logger.warning(
                f"{seen}. If this lasts, the run stops after update {self.start} (`+criterion.collapse_start=N`)"
            )


TRIVIAL = 0.1
"""If a smaller share of the targets' variance is left unexplained, the task is too easy."""


@dataclass
class TrivialWatch:
    """Warns while targets are trivially predictable, as they are for a time in short runs on little data.

    The warning is repeated every ``patience`` observed updates. It never stops a run, since this may pass.
    """

    patience: int = 100

    def __post_init__(self) -> None:
        self.seen = 0

    def observe(self, unexplained: float, update: int) -> None:
        """Record the share of the targets' variance that one update leaves unexplained."""
        if unexplained >= TRIVIAL:
            self.seen = 0
            return
        if self.seen % self.patience == 0:
            logger.warning(
                f"update {update}: the student explains {100 * (1 - unexplained):.0f} % of the variance of its "
                "targets, probably from position or pauses only: nothing useful is learned from such targets. If "
                "this lasts, use longer clips (`task.min_sample_size`), a slower teacher (`model.ema_decay`), a "
                "longer warm-up or larger batches"
            )
        self.seen += 1
