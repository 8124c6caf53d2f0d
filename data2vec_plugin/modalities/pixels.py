"""Parts of data2vec 2.0 for images: sinusoidal positions of rows and columns, and pixels as a second target."""

from __future__ import annotations

import torch
from torch import Tensor

from ..core.config import LossConfig
from ..core.objective.loss import loss_scale, regression_loss
from ..core.objective.terms import Step
from ..core.outputs import Scored, at_rows
from ..core.positions.relative_positions import Grid


def sines_of_grid(dim: int, grid: Grid) -> Tensor:
    """Fixed positions (1, R·C, ``dim``): half the channels encode the column, half the row, each by sines and
    cosines."""
    if dim % 4:
        raise ValueError(
            f"`embed_dim` is {dim}; expected a multiple of 4: fixed positions need a sine and a cosine for each axis"
        )
    rates = 10_000 ** (-torch.arange(dim // 4, dtype=torch.float64) / (dim / 4))
    rows, columns = (torch.arange(side, dtype=torch.float64) for side in grid)
    down, right = torch.meshgrid(rows, columns, indexing="ij")
    waves = [axis.reshape(-1, 1) * rates for axis in (right, down)]
    return torch.cat([wave for angle in waves for wave in (angle.sin(), angle.cos())], 1).float().unsqueeze(0)


class PixelRegression:
    """Masked patches' own pixels, each patch normalised, regressed by the predictor's last output."""

    name = "recon"
    rows_suffice = True

    def __init__(self, patch: int, loss: LossConfig, signal: str, top_k: int) -> None:
        self.patch = patch
        self.loss = loss
        self.signal = signal
        self.top_k = top_k

    def __call__(self, step: Step) -> Scored:
        """(N, C) predictions of pixels -> their loss, in fp32."""
        predictions, targets = step.outputs[-1], self.targets(step)
        scale = loss_scale(predictions.size(-1), self.loss.scale) * self.loss.weight
        loss = regression_loss(predictions, targets, self.loss.beta, scale)
        return Scored(loss, step.mask.count, predictions, targets)

    @torch.no_grad()
    def targets(self, step: Step) -> Tensor:
        """(N, C) in fp32."""
        if step.source is None:
            raise ValueError(f"the term `{self.name}` reads pixels, but the step has none")
        pixels = at_rows(patches_of(step.source.float(), self.patch), step.mask.in_source(step.copies))
        variance, mean = torch.var_mean(pixels, -1, keepdim=True)
        return (pixels - mean) / torch.sqrt(variance + 1e-6)


def patches_of(images: Tensor, patch: int) -> Tensor:
    """(B, channels, R·patch, C·patch) -> (B, R·C, patch·patch·channels), pixel by pixel."""
    rows = images.unflatten(2, (-1, patch)).unflatten(4, (-1, patch))  # type: ignore[no-untyped-call]
    return rows.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)  # type: ignore[no-any-return]
