"""torch ≥ 2 wants a mask type in the fused encoder layer that fairseq calls without."""

import functools
from types import ModuleType
from typing import Any

from data2vec_compat.proxy import ModuleProxy
from data2vec_compat.registry import patch


def _fused_layer_refuses(torch: ModuleType) -> bool:
    """Calls torch's fused layer as fairseq does, on one token."""
    dim = 2
    vector, zero = torch.ones(dim), torch.zeros(dim)
    square, triple = torch.eye(dim), torch.zeros(3 * dim, dim)
    norm = (False, False, 1e-5, vector, zero, vector, zero)
    feed_forward = (square, zero, square, zero)
    attention = (triple, torch.zeros(3 * dim), square, zero)
    padding = torch.zeros(1, 1, dtype=torch.bool)
    try:
        with torch.no_grad():
            torch._transformer_encoder_layer_fwd(
                torch.ones(1, 1, dim), dim, 1, *attention, *norm, *feed_forward, padding
            )
    except (RuntimeError, TypeError, AttributeError):
        return True
    return False


@patch(
    "encoder fast path",
    "fairseq.modules.transformer_layer",
    why="torch ≥ 2: `Mask Type should be defined` when a loaded encoder evaluates",
)
def no_fast_path(module: ModuleType) -> bool:
    """Evaluates with the same code as training; slower by the fused kernel's gain."""
    layer = module.TransformerEncoderLayerBase
    stock = layer.__init__
    if "can_use_fastpath" not in stock.__code__.co_names:
        return False  # fairseq's main branch has no fast path
    if not _fused_layer_refuses(module.torch):
        return False

    @functools.wraps(stock)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        stock(self, *args, **kwargs)
        self.can_use_fastpath = False

    layer.__init__ = init
    return True


@patch(
    "torch version",
    "fairseq.modules.transformer_layer",
    "fairseq.models.transformer.transformer_encoder",
    why="fairseq reads a number off every part of torch.__version__ (fails on 2.1.0a0)",
)
def plain_version(module: ModuleType) -> bool:
    """Shows these modules the version's leading digits if it has other characters."""
    parts = str(module.torch.__version__).split("+")[0].split(".")
    if len(parts) >= 3 and all(part.isdigit() for part in parts[:3]):
        return False
    digits = [_leading_digits(part) for part in (*parts, "0", "0")[:3]]
    module.torch = ModuleProxy(module.torch, __version__=".".join(digits))  # type: ignore[attr-defined]
    return True


def _leading_digits(part: str) -> str:
    end = next((i for i, char in enumerate(part) if not char.isdigit()), len(part))
    return part[:end] or "0"
