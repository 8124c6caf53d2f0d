"""Calls of fairseq's that torch refuses, or for which it returns wrong results.

torch ≥ 2 requires a mask type in the fused encoder layer, which fairseq does not pass. torch ≥ 2.6 refuses fairseq's
checkpoints, and older releases run any code in them: with every torch, known classes are allowed during the call, only
in the fairseq modules that read checkpoints. torch ≥ 2 accepts only boolean masks in `masked_fill`, while fairseq's
attention documents masks of bytes.
"""

import functools
from types import ModuleType
from typing import Any

from data2vec_compat.proxy import ModuleProxy
from data2vec_compat.registry import patch
from data2vec_compat.safe_load import load_allowed

GARBAGE = "2.1."
"""Releases whose oneDNN sometimes returns garbage for the gradients of a 1-D convolution on a CPU.

It depends on uninitialised memory, so no test can detect it: with the position convolution of a tiny model, up to 15 of
24 backward passes were wrong, by up to twenty orders of magnitude, and none without oneDNN. torch 2.8 and newer are not
affected; the first fixed release in between is not known.
"""


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
    """Evaluates with the same code as training; this loses the speed of the fused kernel."""
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
    why="fairseq parses every part of torch.__version__ as a number (fails for 2.1.0a0)",
)
def plain_version(module: ModuleType) -> bool:
    """Gives these modules only the leading digits of the version's parts if it has other characters."""
    parts = str(module.torch.__version__).split("+")[0].split(".")
    if len(parts) >= 3 and all(part.isdigit() for part in parts[:3]):
        return False
    digits = [_leading_digits(part) for part in (*parts, "0", "0")[:3]]
    module.torch = ModuleProxy(module.torch, __version__=".".join(digits))  # type: ignore[attr-defined]
    return True


def _leading_digits(part: str) -> str:
    end = next((i for i, char in enumerate(part) if not char.isdigit()), len(part))
    return part[:end] or "0"


@patch(
    "checkpoint loading",
    "fairseq.checkpoint_utils",
    "fairseq.distributed.utils",
    why="torch ≥ 2.6 refuses Dictionary, Namespace, DictConfig; with older torch a checkpoint could run code",
)
def load_known_classes(module: ModuleType) -> bool:
    """Gives this one module a `torch.load` with an allow-list, also for `weights_only=False`, which fairseq's main
    uses."""
    torch = module.torch

    def load(f: Any, *args: Any, **kwargs: Any) -> Any:
        if len(args) > 1 or "pickle_module" in kwargs:
            return torch.load(f, *args, **kwargs)  # another format
        return load_allowed(torch, f, *args, **kwargs)

    module.torch = ModuleProxy(torch, load=load)  # type: ignore[attr-defined]
    return True


@patch(
    "convolutions on a CPU",
    "fairseq.trainer",
    why="torch 2.1 on a CPU sometimes computes garbage for the gradients of convolutions",
)
def leave_onednn_out(module: ModuleType) -> bool:
    """Uses torch's own convolutions for training, which are slower; a GPU never uses oneDNN."""
    torch = module.torch
    if not torch.__version__.startswith(GARBAGE):
        return False
    torch.backends.mkldnn.enabled = False
    return True


def _filling_refuses_bytes(torch: ModuleType) -> bool:
    try:
        torch.zeros(1).masked_fill_(torch.ones(1, dtype=torch.uint8), 1.0)
    except RuntimeError:
        return True
    return False


@patch(
    "masks of bytes",
    "fairseq.modules.multihead_attention",
    why="torch ≥ 2 refuses a uint8 mask that fairseq turns into an additive one for xformers",
)
def turn_bytes_into_booleans(module: ModuleType) -> bool:
    """Converts such a mask to a boolean one; the type of the result is unchanged."""
    stock = getattr(module, "_mask_for_xformers", None)
    if stock is None or not _filling_refuses_bytes(module.torch):
        return False
    byte, boolean = module.torch.uint8, module.torch.bool

    @functools.wraps(stock)
    def mask_for_xformers(mask: Any, to_dtype: Any = None) -> Any:
        if mask.dtype != byte:
            return stock(mask, to_dtype=to_dtype)
        return stock(mask.to(boolean), to_dtype=byte if to_dtype is None else to_dtype)

    module._mask_for_xformers = mask_for_xformers  # type: ignore[attr-defined]
    return True
