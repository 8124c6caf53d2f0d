"""A line of statistics for people, out of what fairseq logs."""

from __future__ import annotations

import re
from typing import Any, Dict, List, Mapping, Optional

from ...runs.following import clock
from ...runs.training_log import as_number

LEFT_OUT = re.compile(
    r"(epoch|update|num_updates|ntokens|nsentences|wps|ups|wpb|bsz|train_wall|wall|gb_free|gb_total|clip|loss_scale"
    r"|gnorm|lr(_.*)?|nll_loss|raw_wer|masked_pct.*|ema_decay.*|local_var.*|unexplained.*|smoothing|best_.*|.*_best|_.*)"
)
"""Statistics that are not shown, or are elsewhere in the line; a log file has them all."""
NAMES = {"wer": "WER", "uer": "UER", "cer": "CER", "mae": "MAE", "f1": "F1"}
LEARNING_RATES = ("lr", "lr_default")
DAY, HOUR = 86_400, 3_600


def scores(stats: Mapping[str, Any]) -> List[str]:
    """Return the scores of a model: the loss, the variances, error rates, and whatever else its task logs.

    >>> scores({"loss": 2.5, "ntokens": 12, "target_var": 0.51234, "best_loss": 2.4, "wer": 31.0})
    ['loss 2.5 (best 2.4)', 'target var 0.5123', 'WER 31']
    """
    shown = []
    for key, value in stats.items():
        number = as_number(value)
        if number is not None and not LEFT_OUT.fullmatch(key):
            shown.append(f"{name_of(key)} {number:.4g}{compared(number, as_number(stats.get(f'best_{key}')))}")
    return shown


def compared(value: float, best: Optional[float]) -> str:
    """Compare a value with the best one of the run, which includes it; empty if there is none."""
    if best is None:
        return ""
    return " (best so far)" if value == best else f" (best {best:.4g})"


def name_of(key: str) -> str:
    """Return a statistic's name as people write it."""
    return NAMES.get(key, key.replace("_", " "))


def steps(stats: Mapping[str, Any]) -> List[str]:
    """Return learning rate and gradient norm, if they are logged."""
    values: Dict[str, Optional[float]] = {"lr": None, "gnorm": as_number(stats.get("gnorm"))}
    for key in LEARNING_RATES:
        values["lr"] = as_number(stats[key]) if key in stats else values["lr"]
    return [f"{name} {value:.3g}" for name, value in values.items() if value is not None]


def duration(seconds: float) -> str:
    """Format a remaining time, rounded for people.

    >>> duration(75), duration(3 * 3600 + 300), duration(4 * 86400 + 7200)
    ('1:15', '3 h 5 min', '4 d 2 h')
    """
    if seconds < HOUR:
        return clock(seconds)
    if seconds < DAY:
        return f"{int(seconds // HOUR)} h {int(seconds % HOUR // 60)} min"
    return f"{int(seconds // DAY)} d {int(seconds % DAY // HOUR)} h"


def speed(per_second: float) -> str:
    """Format a speed as updates per second, or seconds per update.

    >>> speed(12.34), speed(0.4)
    ('12.3 updates/s', '2.5 s/update')
    """
    return f"{per_second:.3g} updates/s" if per_second >= 1 else f"{1 / per_second:.3g} s/update"
