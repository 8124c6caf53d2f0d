"""fairseq's average of weights (`ema.store_ema`), of models that keep more than weights in their state."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Mapping, Optional

import torch
from fairseq.models.ema import EMA


class WeightAverage(EMA):
    """fairseq's own, of what is a floating-point tensor; everything else is the model's as it is.

    fairseq averages whatever a state holds: counts and bytes, which it cannot, and which may change their size.
    """

    def build_fp32_params(self, state_dict: Optional[Mapping[str, Any]] = None) -> None:
        """Copies in fp32, of weights only."""
        super().build_fp32_params(averaged(self.model.state_dict() if state_dict is None else state_dict))

    def _step_internal(self, new_model: Any, updates: Optional[int] = None) -> None:
        state = new_model.state_dict()
        weights = averaged(state)
        super()._step_internal(SimpleNamespace(state_dict=lambda: weights), updates)
        self.model.load_state_dict({name: value for name, value in state.items() if name not in weights}, strict=False)


def averaged(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """What of a state is averaged."""
    return {name: value for name, value in state.items() if torch.is_tensor(value) and value.is_floating_point()}
