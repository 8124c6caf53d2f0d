"""Images: pixels -> one token a patch, relative positions, block masks (section 4.1; BEiT)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, List, Optional, Sequence

import torch
from torch import Tensor, nn

from ..core.block_masking import BlockMaskConfig, BlockMasker
from ..core.config import Data2VecConfig
from ..core.masking import batch_generators
from ..core.model import Data2Vec, to_device
from ..core.outputs import Mask, Tokens
from ..core.relative_positions import Grid, RelativePositionBias
from ..core.transformer import Transformer

POSITIONS = ("shared", "layers", "none")


@dataclass(frozen=True)
class ImageConfig:
    """What images add to the method's settings: square images of ``size`` pixels, in patches of ``patch`` pixels.

    ``positions`` says whether the layers share one table of relative positions, have one each, or have none.
    """

    size: int = 224
    patch: int = 16
    channels: int = 3
    positions: str = "shared"
    mask: BlockMaskConfig = field(default_factory=BlockMaskConfig)

    def __post_init__(self) -> None:
        if self.patch < 1 or self.size < self.patch or self.size % self.patch:
            raise ValueError(
                f"`patch_size` is {self.patch}, which does not divide `image_size` {self.size}; expected a divisor, "
                f"as 16 is of 224"
            )
        if self.positions not in POSITIONS:
            raise ValueError(f"`positions` is {self.positions!r}; expected one of {', '.join(POSITIONS)}")

    @property
    def grid(self) -> Grid:
        """Rows and columns of patches."""
        return self.size // self.patch, self.size // self.patch


class PatchEmbedding(nn.Module):
    """A linear map of each patch, as a convolution whose stride is its width."""

    def __init__(self, image: ImageConfig, dim: int) -> None:
        super().__init__()
        self.shape = (image.channels, image.size, image.size)
        self.conv = nn.Conv2d(image.channels, dim, image.patch, image.patch)

    def forward(self, img: Tensor) -> Tensor:
        """(B, channels, size, size) -> (B, R·C, dim), row by row; raises ValueError for another size."""
        if img.dim() != 4 or tuple(img.shape[1:]) != self.shape:
            expected = " x ".join(str(length) for length in self.shape)
            raise ValueError(
                f"`img` has shape {tuple(img.shape)}, expected a batch of {expected}: resize the images "
                f"(`task.input_size={self.shape[1]}`), or train with another `model.image_size` or `model.in_channels`"
            )
        embedded: Tensor = self.conv(img).flatten(2).transpose(1, 2)
        return embedded


class ImageEncoder(Transformer):
    """The Transformer with relative positions as a bias of attention."""

    def __init__(self, config: Data2VecConfig, image: ImageConfig) -> None:
        super().__init__(config.transformer)
        heads = config.transformer.heads
        self.positions = image.positions
        self.rel_pos_bias = RelativePositionBias(image.grid, heads) if image.positions == "shared" else None
        if image.positions == "layers":
            for block in self.layers:
                block.add_module("rel_pos_bias", RelativePositionBias(image.grid, heads))
        self.apply(init_image)
        self.shrink_branches()

    @torch.no_grad()
    def shrink_branches(self) -> None:
        """Divide what each branch ends with by sqrt(2·layer), counted from 1, so that depth adds no variance (BEiT)."""
        layers: List[Any] = list(self.layers)
        for number, block in enumerate(layers, start=1):
            for projection in (block.self_attn.out_proj, block.fc2):
                projection.weight.div_(math.sqrt(2 * number))

    def attention_biases(self) -> Sequence[Optional[Tensor]]:
        """(1, H, 1+N, 1+N): one for all layers or one for each, or none."""
        if self.positions == "layers":
            layers: List[Any] = list(self.layers)
            return [block.rel_pos_bias() for block in layers]
        return (None if self.rel_pos_bias is None else self.rel_pos_bias(),)


class ImageData2Vec(Data2Vec):
    """data2vec on images: (B, channels, size, size) in, a class token before one token a patch."""

    def __init__(self, config: Data2VecConfig, image: ImageConfig) -> None:
        super().__init__(config, ImageEncoder(config, image))
        if config.extra_tokens != 1:
            raise ValueError(
                f"`extra_tokens` is {config.extra_tokens}; expected 1, the class token of relative positions"
            )
        self.image = image
        self.patch_embed = PatchEmbedding(image, config.transformer.dim)
        self.masker = BlockMasker(image.mask, *image.grid)
        for parameter in (self.mask_emb, self.extra_tokens):
            if parameter is not None:
                nn.init.trunc_normal_(parameter, std=0.02)
        for module in (self.patch_embed, self.final_proj):
            if module is not None:
                module.apply(init_image)
        if config.reference_compat and self.final_proj is not None:
            self.final_proj.requires_grad_(False)  # DistributedDataParallel waits for every gradient it was promised

    def embed(self, source: Tensor, padding_mask: Optional[Tensor]) -> Tokens:
        """Images (B, channels, size, size) -> tokens (B, N, C); nothing in an image is padding."""
        return Tokens(self.patch_embed(source))

    def sample_mask(self, tokens: Tokens) -> Mask:
        """Draw the blocks of every image on the host, seeded by torch's CPU generator."""
        images, patches = tokens.x.shape[:2]
        return to_device(self.masker.draw([patches] * images, batch_generators(images)), tokens.x.device)

    def predict(self, x: Tensor) -> Tensor:
        """Prediction head at the masked positions; upstream makes one and then compares its input with the targets."""
        if self.config.reference_compat and self.final_proj is not None:
            return x
        return super().predict(x)


def init_image(module: nn.Module) -> None:
    """BEiT's initialisation: truncated normal(0, 0.02) weights and zero biases."""
    if isinstance(module, (nn.Linear, nn.Conv2d)):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
