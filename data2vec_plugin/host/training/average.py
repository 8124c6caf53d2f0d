"""fairseq's average of weights (`ema.store_ema`), for models that keep more than weights in their state."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Mapping, Optional

import torch
from fairseq.models.ema import EMA


class WeightAverage(EMA):
    """fairseq's own, of floating-point tensors only; everything else is copied from the model.

    fairseq averages everything in a state, also counts and bytes, which have no average and may change their size.
    """

    def build_fp32_params(self, state_dict: Optional[Mapping[str, Any]] = None) -> None:
        """Copy the weights in fp32, and nothing else of the state."""
        super().build_fp32_params(averaged(self.model.state_dict() if state_dict is None else state_dict))

    def _step_internal(self, new_model: Any, updates: Optional[int] = None) -> None:
        state = new_model.state_dict()
        weights = averaged(state)
        super()._step_internal(SimpleNamespace(state_dict=lambda: weights), updates)
        self.model.load_state_dict({name: value for name, value in state.items() if name not in weights}, strict=False)


def averaged(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the part of a state that is averaged."""
    return {name: value for name, value in state.items() if torch.is_tensor(value) and value.is_floating_point()}
