"""fairseq's average of weights takes weights, and leaves alone what a model keeps beside them."""

from __future__ import annotations

import pytest
import torch
from fairseq.dataclass.configs import EMAConfig

from data2vec_plugin.host.training.average import WeightAverage


class Counting(torch.nn.Linear):
    """Weights, a count, and bytes that become more."""

    def __init__(self) -> None:
        super().__init__(2, 1)
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.notes = b"-"

    def get_extra_state(self) -> torch.Tensor:
        return torch.tensor(list(self.notes), dtype=torch.uint8)

    def set_extra_state(self, state: torch.Tensor) -> None:
        self.notes = bytes(state.tolist())


@pytest.mark.parametrize("in_fp32", [True, False])
def test_counts_and_bytes_are_the_models(in_fp32: bool) -> None:
    torch.manual_seed(0)
    model = Counting()
    average = WeightAverage(model, EMAConfig(store_ema=True, ema_decay=0.5, ema_fp32=in_fp32))
    expected = model.weight.detach().clone()
    for update in (1, 2):
        with torch.no_grad():
            model.weight += update
        model.count += 3
        model.notes += b"-" * update
        expected = (expected + model.weight.detach()) / 2
        average.step(model, update)
        found = average.get_model()
        assert torch.allclose(found.weight, expected)
        assert (int(found.count), found.notes) == (3 * update, model.notes)
    fresh = WeightAverage(Counting(), average.config)
    fresh.restore(average.get_model().state_dict(), build_fp32_params=False)
    if in_fp32:
        fresh.build_fp32_params(average.fp32_params)
        assert set(average.fp32_params) == {"weight", "bias"}
    assert (fresh.get_model().notes, int(fresh.get_model().count)) == (model.notes, 6)
