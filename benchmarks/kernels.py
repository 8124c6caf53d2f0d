"""The CPU kernels that `core/kernels` chooses, and torch's own, at sizes of base models and of the quickstart."""

from typing import Callable, Dict, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from data2vec_plugin.core.kernels.convolution import convolve_time
from data2vec_plugin.core.kernels.products import linear_map, suits
from data2vec_plugin.host.training.freed_memory import keep_freed_memory

from .timing import interleaved, show

PRODUCTS: Dict[str, Tuple[int, int, int]] = {
    "queries, keys, values": (3984, 768, 2304),
    "first of feed-forward": (3984, 768, 3072),
    "second of feed-forward": (3984, 3072, 768),
}
"""Rows, inputs, outputs."""
CONVOLUTIONS: Dict[str, Tuple[int, int, int, int, int]] = {
    "decoder of text": (16, 256, 768, 9, 1),
    "decoder of speech": (16, 499, 384, 7, 16),
    "positions of speech": (16, 499, 768, 19, 16),
    "positions of the quickstart's speech": (8, 400, 192, 19, 16),
}
"""Rows, steps, channels, taps, groups."""


def compared(title: str, x: Tensor, works: Dict[str, Callable[[Tensor], Tensor]]) -> None:
    """Print forward and backward of each, and how far they differ."""
    made = [work(x) for work in works.values()]
    gradient = torch.randn_like(made[0])
    medians = interleaved({name: lambda work=work: work(x).backward(gradient) for name, work in works.items()})
    difference = (made[0] - made[1]).abs().max() / made[0].abs().max()
    show(f"{title} (largest difference {difference:.1e} of the largest value)", medians, next(iter(works)))


def main() -> None:
    """Forward and backward, in memory as a training has it."""
    keep_freed_memory()
    torch.manual_seed(0)
    for name, (rows, before, after) in PRODUCTS.items():
        x, weight = torch.randn(rows, before, requires_grad=True), torch.randn(after, before, requires_grad=True)
        kernel = "oneDNN" if suits(x, weight) else "torch's, too"
        works = {"F.linear": lambda x: F.linear(x, weight), kernel: lambda x: linear_map(x, weight)}  # noqa: B023
        compared(f"product, {name}", x, works)
    for name, (rows, steps, channels, taps, groups) in CONVOLUTIONS.items():
        conv = nn.Conv1d(channels, channels, taps, padding=taps // 2, groups=groups)
        x = torch.randn(rows, steps, channels, requires_grad=True)
        works = {
            "Conv1d": lambda x: conv(x.transpose(1, 2)).transpose(1, 2),  # noqa: B023
            "convolve_time": lambda x: convolve_time(x, conv),  # noqa: B023
        }
        compared(f"convolution, {name}", x, works)


if __name__ == "__main__":
    main()
