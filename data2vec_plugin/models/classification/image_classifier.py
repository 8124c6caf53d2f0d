"""The common part of image classifiers: encoder, pooling, norm and linear layer; mixed batches in training."""

from typing import Any, Dict, Optional, Union

import torch
import torch.nn.functional as F
from fairseq.models import BaseFairseqModel
from torch import Tensor, nn

from .mixing import MixingConfig, draw_mixture, smoothed, soft_cross_entropy

TOP = 5


class ImageClassifier(BaseFairseqModel):
    """Base class: a subclass sets ``model``, ``fc_norm`` (or None) and ``head``, and implements :meth:`pooled`."""

    cfg: Any
    mixing: MixingConfig
    fc_norm: Optional[nn.Module]
    head: nn.Linear

    def forward(
        self,
        img: Optional[Tensor] = None,
        label: Optional[Tensor] = None,
        imgs: Optional[Tensor] = None,
        labels: Optional[Tensor] = None,
    ) -> Union[Tensor, Dict[str, Any]]:
        """Images (B, channels, size, size) -> logits (B, classes), or with ``label`` (B,) int64 upstream's results.

        ``losses`` holds the cross-entropy of every image (B,), in training that of mixed images with mixed and smoothed
        labels. In evaluation, ``correct`` and ``correct_top5`` count images whose label is first, or among the first
        five. Upstream's task of data2vec 2.0 uses the plural names. Raises ValueError without images.
        """
        img, label = imgs if img is None else img, labels if label is None else label
        if img is None:
            raise ValueError("neither `img` nor `imgs` is given; expected a batch of images")
        if label is None:
            return self.logits(img)
        if self.training:
            return result(img, self.training_loss(img, label))
        logits = self.logits(img)
        evaluated = result(img, F.cross_entropy(logits.float(), label, reduction="none"))
        return {**evaluated, **counts(logits, label)}

    def pooled(self, img: Tensor) -> Tensor:
        """Return one vector per image: (B, C)."""
        raise NotImplementedError(f"{type(self).__name__} must implement what is classified")

    def logits(self, img: Tensor) -> Tensor:
        """Images -> scores of the classes (B, classes), from pooled vectors, normalised if there is a norm."""
        pooled = self.pooled(img)
        scores: Tensor = self.head(pooled if self.fc_norm is None else self.fc_norm(pooled))
        return scores

    def training_loss(self, img: Tensor, label: Tensor) -> Tensor:
        """Cross-entropy (B,) of a mixed batch."""
        height, width = img.shape[-2:]
        mixture = draw_mixture(self.mixing, (height, width))
        targets = smoothed(label, self.cfg.num_classes, self.cfg.label_smoothing)
        return soft_cross_entropy(self.logits(mixture.images(img)), mixture.targets(targets))

    def max_positions(self) -> None:
        """No image is too long."""


def result(img: Tensor, loss: Tensor) -> Dict[str, Any]:
    """Return the results that a criterion reads; the loss has upstream's name.

    The output is a tensor in a dict, which torch's old backward hooks and fairseq's search for NaN expect.
    """
    return {"losses": {"regression": loss}, "sample_size": img.size(0), "loss": loss.detach()}


@torch.no_grad()
def counts(logits: Tensor, label: Tensor) -> Dict[str, Tensor]:
    """Count images of a batch whose label is first (``correct``), and among the first five; each ()."""
    best = logits.topk(min(TOP, logits.size(-1)), dim=-1).indices
    hits = best == label.unsqueeze(-1)
    return {"correct": hits[:, 0].sum(), "correct_top5": hits.sum()}
