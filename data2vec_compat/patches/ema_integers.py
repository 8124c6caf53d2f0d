"""fairseq's average of weights multiplies everything by the decay, which torch refuses for integers."""

import functools
from types import ModuleType
from typing import Any

from data2vec_compat.registry import patch


@patch(
    "averaged integers",
    "fairseq.models.ema.ema",
    why="ema.store_ema raises RuntimeError for a model with an integer in its state dict",
)
def skip_integers(module: ModuleType) -> bool:
    """Has what is not a floating-point number copied, as fairseq does with keys that it is told to skip."""
    torch = module.torch
    stock = module.EMA.__init__

    @functools.wraps(stock)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        stock(self, *args, **kwargs)
        state = self.model.state_dict().items()
        integers = {name for name, value in state if torch.is_tensor(value) and not value.is_floating_point()}
        self.skip_keys = {*self.skip_keys, *integers}

    module.EMA.__init__ = init
    return True
