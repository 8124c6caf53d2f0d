"""Criterion `multimodal_emotion`: classes of several emotions, with metrics of the whole set."""

from dataclasses import dataclass
from typing import Any, Dict, List, Optional

import torch
import torch.nn.functional as F
from fairseq.criterions import register_criterion
from fairseq.dataclass import FairseqDataclass
from torch import Tensor

from ..config_keys import key
from .multimodal_base import DIGITS, MultimodalCriterion, log_loss, predicted
from .multimodal_metrics import emotion_names, emotion_scores
from .whole_set import log_whole_set

PLAIN, INVERSE = WEIGHTS = ("none", "inverse")


@dataclass
class MultimodalEmotionConfig(FairseqDataclass):
    """Keys of `multimodal_emotion`."""

    class_weights: str = key(
        "none", "none, or inverse: classes of an emotion are weighted by the frequency of the other class"
    )


@register_criterion("multimodal_emotion", dataclass=MultimodalEmotionConfig)
class MultimodalEmotionCriterion(MultimodalCriterion):
    """Cross-entropy of several emotions per sample, each with its own classes; logs ``accuracy`` and ``f1`` of each.

    With ``class_weights`` inverse, the negative and positive class of an emotion with a share p of positives are
    weighted by p and 1 - p, in a weighted mean over the batch; the emotions' losses are averaged.
    """

    def __init__(self, cfg: MultimodalEmotionConfig, task: Any) -> None:
        super().__init__(task)
        if cfg.class_weights not in WEIGHTS:
            raise ValueError(f"`criterion.class_weights` is {cfg.class_weights!r}; expected none or inverse")
        if not task.emotions:
            raise ValueError(
                "`criterion` is multimodal_emotion, but `task.target` is regression; set `task.target=emotions`, or "
                "use criterion multimodal_regression"
            )
        self.cfg, self.task = cfg, task

    def mean_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy of (B, emotions · classes) and (B, emotions)."""
        logits = outputs.view(*targets.shape, -1)
        if self.cfg.class_weights == PLAIN:
            return F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        weights = inverse_weights(self.shares())
        losses = [
            F.cross_entropy(logits[:, place], targets[:, place], weight=weights[place].to(logits))
            for place in range(targets.size(1))
        ]
        return torch.stack(losses).mean()

    def shares(self) -> List[float]:
        """Share of positives of each emotion in the training set; raises ValueError if they are unknown."""
        shares: Optional[List[float]] = self.task.positive_shares()
        if shares is None:
            raise ValueError(
                "`criterion.class_weights=inverse` requires two classes and a training set in which to count them, "
                "or `task.positive_shares`, one for each emotion"
            )
        return shares

    def names(self) -> List[str]:
        """Return the names of the emotions."""
        return list(self.task.emotions)

    @staticmethod
    def reduce_metrics(logging_outputs: List[Dict[str, Any]]) -> None:
        """Log a batch of all ranks; metrics are computed over all predictions of the set."""
        log_loss(logging_outputs)
        found = predicted(logging_outputs)
        if found:
            emotions = found[0]["names"]
            log_whole_set(found, _emotions(emotions), emotion_names(emotions), DIGITS)


def _emotions(emotions: List[str]) -> Any:
    return lambda predictions, targets: emotion_scores(predictions, targets, emotions)


def inverse_weights(shares: List[float]) -> Tensor:
    """Weights of the negative and the positive class, (emotions, 2)."""
    positive = torch.tensor(shares, dtype=torch.float32)
    return torch.stack([positive, 1 - positive], dim=1)
