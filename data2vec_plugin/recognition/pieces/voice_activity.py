"""Pauses detected by Silero's voice activity detection, which also distinguishes music and noise from speech."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any, List

import numpy as np
import torch

from .listening import Samples
from .pauses import Span, Steps, Values, spans

RATES = {8_000: 256, 16_000: 512}
"""Samples per step of the model, by rate."""
SPEECH, NO_SPEECH = 0.5, 0.35
"""Probability at which speech begins, and below which it ends: the package's defaults."""
INSTALL = "pip install 'silero-vad>=6.2'"


class VoiceActivity:
    """A :class:`~.pauses.Detector` with the model of the package `silero-vad`; for 8 kHz and multiples of 16 kHz.

    The file is loaded without importing its package, which would set torch's number of threads to one. Raises
    ValueError if the package is missing, or for another rate.
    """

    def __init__(self, rate: int) -> None:
        self.thinned = max(rate // 16_000, 1)
        heard = rate // self.thinned
        if heard not in RATES or rate % heard:
            raise ValueError(
                f"`--cut vad` supports 8,000 Hz and multiples of 16,000, the model has {rate}; use `--cut pauses`"
            )
        self.rate, self.step = heard, RATES[heard] * self.thinned
        self._steps = Steps(self.step)
        self._model: Any = torch.jit.load(str(model_file()), map_location="cpu").eval()
        self._model.reset_states()

    @torch.no_grad()
    def values(self, samples: Samples, last: bool) -> Values:
        """The probability of speech."""
        steps = torch.from_numpy(self._steps.take(samples, last)[:, :: self.thinned].copy())
        return np.array([self._model(step.unsqueeze(0), self.rate).item() for step in steps], np.float32)

    def pauses(self, values: Values) -> List[Span]:
        """Runs without speech."""
        return spans(~self._speaks(values))

    def is_silent(self, values: Values) -> bool:
        """Whether there is no speech at all."""
        return bool((values < SPEECH).all())

    def _speaks(self, values: Values) -> Any:
        """Whether each step is speech, with hysteresis: (steps,) bool."""
        speaks, now = np.zeros(len(values), bool), False
        for step, value in enumerate(values):
            now = bool(value >= (NO_SPEECH if now else SPEECH))
            speaks[step] = now
        return speaks


def model_file() -> Path:
    """The path of the package's model; raises ValueError if the package is missing."""
    found = find_spec("silero_vad")
    path = Path(found.origin).parent / "data" / "silero_vad.jit" if found and found.origin else None
    if path is None or not path.is_file():
        raise ValueError(f"`--cut vad` requires the package silero-vad: {INSTALL}; or use `--cut pauses` without it")
    return path
