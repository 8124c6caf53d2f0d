"""Mixup and CutMix: every image of a batch is mixed with its neighbour, and so are their labels.

One draw serves the batch. It is made on the host by torch's CPU generator, which fairseq seeds with the update, so that
a run resumes exactly and never waits for the device. (Zhang et al., 2018; Yun et al., 2019.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Optional, Tuple

import torch
from torch import Tensor
from torch.distributions import Beta

Box = Tuple[slice, slice]
Size = Tuple[int, int]


@dataclass(frozen=True)
class MixingConfig:
    """``mixup`` and ``cutmix`` are the alphas of Beta distributions, 0 for never.

    A batch is mixed with probability ``prob``; with both kinds, by CutMix with probability ``switch_prob``.
    """

    mixup: float = 0.8
    cutmix: float = 1.0
    prob: float = 1.0
    switch_prob: float = 0.5

    def __post_init__(self) -> None:
        for name, alpha in (("mixup", self.mixup), ("cutmix", self.cutmix)):
            if alpha < 0:
                raise ValueError(f"`model.{name}` is {alpha}; expected 0 (never) or more")
        for name, chance in (("mixup_prob", self.prob), ("mixup_switch_prob", self.switch_prob)):
            if not 0 <= chance <= 1:
                raise ValueError(f"`model.{name}` is {chance}; expected a probability")

    @property
    def mixes(self) -> bool:
        """Whether any batch is mixed."""
        return self.prob > 0 and (self.mixup > 0 or self.cutmix > 0)


@dataclass(frozen=True)
class Mixture:
    """``share`` of each image is its own, the rest its neighbour's: inside ``box``, or everywhere."""

    share: float = 1.0
    box: Optional[Box] = None

    def images(self, images: Tensor) -> Tensor:
        """(B, channels, H, W) -> the same, each image mixed with its neighbour."""
        if self.share == 1:
            return images
        others = images.roll(1, 0)
        if self.box is None:
            return torch.lerp(others, images, self.share)
        rows, columns = self.box
        images = images.clone()
        images[..., rows, columns] = others[..., rows, columns]
        return images

    def targets(self, targets: Tensor) -> Tensor:
        """(B, K) probabilities -> those of the mixed images."""
        return targets if self.share == 1 else torch.lerp(targets.roll(1, 0), targets, self.share)


def draw_mixture(config: MixingConfig, size: Size) -> Mixture:
    """Draw how the next batch of images of ``size`` (H, W) is mixed."""
    if not config.mixes or not chance(config.prob):
        return Mixture()
    by_box = config.cutmix > 0 and (config.mixup <= 0 or chance(config.switch_prob))
    alpha = config.cutmix if by_box else config.mixup
    share = float(Beta(alpha, alpha).sample())
    return cut(share, size) if by_box else Mixture(share)


def cut(share: float, size: Size) -> Mixture:
    """Draw a box with 1 - ``share`` of the image's area around a random pixel, clipped to the image."""
    sides = []
    for length in size:
        half, centre = int(length * math.sqrt(1 - share)) // 2, int(torch.randint(length, ()))
        sides.append(slice(max(centre - half, 0), min(centre + half, length)))
    height, width = (side.stop - side.start for side in sides)
    return Mixture(1 - height * width / (size[0] * size[1]), (sides[0], sides[1]))


def chance(probability: float) -> bool:
    """True with this probability."""
    return float(torch.rand(())) < probability


def smoothed(labels: Tensor, classes: int, smoothing: float) -> Tensor:
    """(B,) int64 -> (B, ``classes``) fp32: 1 - ``smoothing`` on the label, ``smoothing`` spread over all."""
    targets = torch.full((len(labels), classes), smoothing / classes, device=labels.device)
    return targets.scatter_add_(1, labels.unsqueeze(1), targets.new_full((len(labels), 1), 1 - smoothing))


def soft_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy (B,) of logits (B, K), in fp32, with probabilities (B, K)."""
    return -(targets * torch.log_softmax(logits.float(), dim=-1)).sum(-1)
