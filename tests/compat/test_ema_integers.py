"""fairseq's average of a model that holds integers."""

import pytest
import torch

ema = pytest.importorskip("fairseq.models.ema.ema")
EMAConfig = pytest.importorskip("fairseq.dataclass.configs").EMAConfig


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
