"""Criterion `meme_score`: a score against a label of 0 or 1, with metrics of the whole set."""

from dataclasses import dataclass
from typing import Any, Dict, List

import torch.nn.functional as F
from fairseq.criterions import register_criterion
from fairseq.dataclass import FairseqDataclass
from torch import Tensor

from ..config_keys import key
from .meme_metrics import NAMES, meme_scores
from .multimodal_base import DIGITS, MultimodalCriterion, Output, log_loss, predicted
from .whole_set import log_whole_set

MSE, BCE = LOSSES = ("mse", "bce")


@dataclass
class MemeScoreConfig(FairseqDataclass):
    """Keys of `meme_score`."""

    loss: str = key(MSE, "mse between score and label (paper), or bce with the model's output as logit")


@register_criterion("meme_score", dataclass=MemeScoreConfig)
class MemeScoreCriterion(MultimodalCriterion):
    """One score per meme, above 0.5 for 1; logs ``accuracy`` and ``average_precision``."""

    def __init__(self, cfg: MemeScoreConfig, task: Any) -> None:
        super().__init__(task)
        if cfg.loss not in LOSSES:
            raise ValueError(f"`criterion.loss` is {cfg.loss!r}; expected {' or '.join(LOSSES)}")
        self.cfg = cfg

    def mean_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean of the chosen loss between (B,) and (B,)."""
        loss = F.mse_loss if self.cfg.loss == MSE else F.binary_cross_entropy_with_logits
        return loss(outputs, targets.float())

    def forward(self, model: Any, sample: Dict[str, Any], reduce: bool = True) -> Output:
        """fairseq's (loss, sample size, logging output); predictions are scores."""
        loss, count, logging = super().forward(model, sample, reduce)
        if "predictions" in logging:
            logging["predictions"] = scores_of(logging["predictions"], self.cfg.loss)
        return loss, count, logging

    @staticmethod
    def reduce_metrics(logging_outputs: List[Dict[str, Any]]) -> None:
        """Log a batch of all ranks; metrics are computed over all predictions of the set."""
        log_loss(logging_outputs)
        found = predicted(logging_outputs)
        if found:
            log_whole_set(found, meme_scores, NAMES, DIGITS)


def scores_of(outputs: Any, loss: str) -> List[float]:
    """Return a model's outputs (N,) as scores with the threshold 0.5: logits go through a sigmoid."""
    from torch import as_tensor, float64

    values = as_tensor(outputs, dtype=float64)
    found: List[float] = (values if loss == MSE else values.sigmoid()).tolist()
    return found
