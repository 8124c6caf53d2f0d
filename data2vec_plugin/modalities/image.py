"""Images: pixels -> one token a patch, relative positions, block masks (section 4.1; BEiT)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, List, Optional, Sequence

import torch
from torch import Tensor, nn

from ..core.config import Data2VecConfig, TransformerConfig
from ..core.encoder import Encoder
from ..core.masks.block_masking import BlockMaskConfig, BlockMasker
from ..core.masks.masking import BatchMasker
from ..core.model import Data2Vec
from ..core.outputs import Tokens
from ..core.positions.order import Biases, NoPositions
from ..core.positions.relative_positions import Grid, RelativePositionBias
from ..core.reference import Unused, regression
from ..core.transformer import Transformer
from ..core.view import MaskedView
from .gradients import with_gradient

POSITIONS = ("shared", "layers", "none")


@dataclass(frozen=True)
class ImageConfig:
    """What images add to the method's settings: square images of ``size`` pixels, in patches of ``patch`` pixels.

    ``positions`` says whether the layers share one table of relative positions, have one each, or have none;
    ``grad_mult`` scales the gradient of the embedding, 0 freezes it.
    """

    size: int = 224
    patch: int = 16
    channels: int = 3
    positions: str = "shared"
    mask: BlockMaskConfig = field(default_factory=BlockMaskConfig)
    grad_mult: float = 1.0

    def __post_init__(self) -> None:
        if self.patch < 1 or self.size < self.patch or self.size % self.patch:
            raise ValueError(
                f"`patch_size` is {self.patch}, which does not divide `image_size` {self.size}; expected a divisor "
                "(such as 16 for 224)"
            )
        if self.positions not in POSITIONS:
            raise ValueError(f"`positions` is {self.positions!r}; expected one of {', '.join(POSITIONS)}")

    @property
    def grid(self) -> Grid:
        """Rows and columns of patches."""
        return self.size // self.patch, self.size // self.patch


class ImageEmbedder(nn.Module):
    """A linear map of each patch, as a convolution whose stride is its width."""

    def __init__(self, image: ImageConfig, dim: int) -> None:
        super().__init__()
        self.image = image
        self.shape = (image.channels, image.size, image.size)
        self.conv = nn.Conv2d(image.channels, dim, image.patch, image.patch)

    def forward(self, img: Tensor, padding_mask: Optional[Tensor] = None) -> Tokens:
        """(B, channels, size, size) -> tokens (B, R·C, dim), row by row; nothing in an image is padding.

        Raises ValueError for another size.
        """
        self.check(img)
        return Tokens(with_gradient(lambda: self.vectors(img), self.image.grad_mult))

    def check(self, img: Tensor) -> None:
        """Raise ValueError for images of another size."""
        if img.dim() != 4 or tuple(img.shape[1:]) != self.shape:
            expected = " x ".join(str(length) for length in self.shape)
            raise ValueError(
                f"`img` has shape {tuple(img.shape)}, expected a batch of {expected}: resize the images "
                f"(`task.input_size={self.shape[1]}`), or train with another `model.image_size` or `model.in_channels`"
            )

    def vectors(self, img: Tensor) -> Tensor:
        """(B, channels, size, size) -> (B, R·C, dim)."""
        patches: Tensor = self.conv(img).flatten(2).transpose(1, 2)
        return patches


class ResizedPatches(nn.Module):
    """Patches of ``width`` channels, and a linear map to ``dim``."""

    def __init__(self, image: ImageConfig, width: int, dim: int) -> None:
        super().__init__()
        self.image = image
        self.patches = ImageEmbedder(image, width)
        self.resize = nn.Linear(width, dim)

    def forward(self, img: Tensor, padding_mask: Optional[Tensor] = None) -> Tokens:
        """(B, channels, size, size) -> tokens (B, R·C, dim)."""
        self.patches.check(img)
        return Tokens(with_gradient(lambda: self.resize(self.patches.vectors(img)), self.patches.image.grad_mult))


class FixedPositions(NoPositions):
    """A table (1, T, C), which is not trained, added to tokens."""

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.positions = nn.Parameter(table, requires_grad=False)

    def added(self, x: Tensor, padding_mask: Optional[Tensor]) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        return x + self.positions


class GridPositions(NoPositions):
    """Relative positions as a bias of attention, of one table that all layers share."""

    def __init__(self, grid: Grid, heads: int) -> None:
        super().__init__()
        self.rel_pos_bias = RelativePositionBias(grid, heads)

    def biases(self, tokens: Tokens, layers: Sequence[nn.Module]) -> Biases:
        """(1, H, 1+N, 1+N)."""
        return (self.rel_pos_bias(),)


class LayerPositions(NoPositions):
    """The same of a table in each layer, which is a part of it as ``rel_pos_bias``."""

    def biases(self, tokens: Tokens, layers: Sequence[Any]) -> Biases:
        """One (1, H, 1+N, 1+N) for each layer."""
        return [block.rel_pos_bias() for block in layers]


def image_transformer(config: TransformerConfig, image: ImageConfig) -> Transformer:
    """The Transformer as BEiT begins it, with a table of relative positions in each layer where they have their own."""
    transformer = Transformer(config)
    blocks: List[Any] = list(transformer.layers)
    if image.positions == "layers":
        for block in blocks:
            block.add_module("rel_pos_bias", RelativePositionBias(image.grid, config.heads))
    transformer.apply(init_image)
    with torch.no_grad():  # what a branch ends with, by sqrt(2·layer) counted from 1, so that depth adds no variance
        for number, block in enumerate(blocks, start=1):
            for projection in (block.self_attn.out_proj, block.fc2):
                projection.weight.div_(math.sqrt(2 * number))
    return transformer


def grid_positions(config: TransformerConfig, image: ImageConfig) -> NoPositions:
    """What gives patches their order."""
    if image.positions == "shared":
        return GridPositions(image.grid, config.heads)
    return LayerPositions() if image.positions == "layers" else NoPositions()


def image_data2vec(config: Data2VecConfig, image: ImageConfig) -> Data2Vec:
    """The method on images (B, channels, size, size): a class token before one token a patch."""
    if config.extra_tokens != 1:
        raise ValueError(f"`extra_tokens` is {config.extra_tokens}; expected 1: relative positions need a class token")
    dim = config.transformer.dim
    transformer = image_transformer(config.transformer, image)
    view = MaskedView(dim, config.input_dropout, config.channel_mask_before)
    head = nn.Linear(dim, dim)
    positions = grid_positions(config.transformer, image)
    encoder = Encoder(transformer, view, ImageEmbedder(image, dim), config.extra_tokens, positions)
    for parameter in (view.mask_emb, encoder.extra_tokens):
        if parameter is not None:
            nn.init.trunc_normal_(parameter, std=0.02)
    for module in (encoder.embedder, head):
        module.apply(init_image)
    predictor = Unused(head) if config.reference_compat else head
    masks = BatchMasker(BlockMasker(image.mask, *image.grid))
    return Data2Vec(config, encoder, masks, predictor, [regression(config)])


def init_image(module: nn.Module) -> None:
    """BEiT's initialisation: truncated normal(0, 0.02) weights and zero biases."""
    if isinstance(module, (nn.Linear, nn.Conv2d)):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
