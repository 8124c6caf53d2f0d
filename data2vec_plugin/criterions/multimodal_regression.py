"""Criterion `multimodal_regression`: sentiment as a number, with metrics of the whole set."""

from dataclasses import dataclass
from typing import Any, Dict, List

import torch
import torch.nn.functional as F
from fairseq.criterions import register_criterion
from fairseq.dataclass import FairseqDataclass
from torch import Tensor

from ..config_keys import key
from .multimodal_base import DIGITS, MultimodalCriterion, log_loss, predicted
from .multimodal_metrics import sentiment_names, sentiment_scores
from .whole_set import log_whole_set

LOSSES = {"smooth_l1": F.smooth_l1_loss, "l1": F.l1_loss, "mse": F.mse_loss}


@dataclass
class MultimodalRegressionConfig(FairseqDataclass):
    """Keys of `multimodal_regression`."""

    loss: str = key("smooth_l1", "smooth_l1, l1 or mse")
    loss_norm: bool = key(True, "divide a batch's loss by its own value: the gradient is that of the loss's logarithm")


@register_criterion("multimodal_regression", dataclass=MultimodalRegressionConfig)
class MultimodalRegressionCriterion(MultimodalCriterion):
    """One number per sample; logs ``mae``, ``pearson``, ``acc7``, ``acc2`` by two definitions, ``f1`` by three."""

    def __init__(self, cfg: MultimodalRegressionConfig, task: Any) -> None:
        super().__init__(task)
        if cfg.loss not in LOSSES:
            raise ValueError(f"`criterion.loss` is {cfg.loss!r}; expected one of {', '.join(LOSSES)}")
        if task.emotions:
            raise ValueError(
                "`criterion` is multimodal_regression, but `task.target` is emotions; set `task.target=regression`, "
                "or use criterion multimodal_emotion"
            )
        self.cfg = cfg

    def mean_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean of the chosen loss between (B, 1) and (B,)."""
        return LOSSES[self.cfg.loss](outputs.view(-1), targets)

    def followed(self, loss: Tensor) -> Tensor:
        """Return the loss, by default divided by its own value: the gradient is that of its logarithm. 0 stays 0."""
        return loss / loss.detach().clamp_min(torch.finfo(loss.dtype).tiny) if self.cfg.loss_norm else loss

    @staticmethod
    def reduce_metrics(logging_outputs: List[Dict[str, Any]]) -> None:
        """Log a batch of all ranks; metrics are computed over all predictions of the set."""
        log_loss(logging_outputs)
        found = predicted(logging_outputs)
        if found:
            log_whole_set(found, _sentiment, sentiment_names(), DIGITS)


def _sentiment(predictions: List[Any], targets: List[Any]) -> Dict[str, float]:
    return sentiment_scores([row[0] for row in predictions], targets)
