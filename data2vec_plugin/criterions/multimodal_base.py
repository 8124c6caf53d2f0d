"""Criterions `multimodal_regression` and `multimodal_emotion`, with metrics of the whole set."""

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

import torch
import torch.nn.functional as F
from fairseq import metrics
from fairseq.criterions import FairseqCriterion, register_criterion
from fairseq.dataclass import FairseqDataclass
from torch import Tensor

from ..config_keys import key
from .multimodal_metrics import emotion_names, emotion_scores, sentiment_names, sentiment_scores
from .whole_set import log_whole_set

DIGITS = 4
LOSSES = {"smooth_l1": F.smooth_l1_loss, "l1": F.l1_loss, "mse": F.mse_loss}
PLAIN, INVERSE = WEIGHTS = ("none", "inverse")
Output = Tuple[Tensor, int, Dict[str, Any]]


@dataclass
class MultimodalRegressionConfig(FairseqDataclass):
    """Keys of `multimodal_regression`."""

    loss: str = key("smooth_l1", "smooth_l1, l1 or mse")
    loss_norm: bool = key(True, "divide a batch's loss by its own value: only the gradient's direction is followed")


@dataclass
class MultimodalEmotionConfig(FairseqDataclass):
    """Keys of `multimodal_emotion`."""

    class_weights: str = key("none", "none, or inverse: the rarer class of an emotion weighs as the other is frequent")


class MultimodalCriterion(FairseqCriterion):
    """Forward, logging and metrics; a kind of target adds its loss."""

    def forward(self, model: Any, sample: Dict[str, Any], reduce: bool = True) -> Output:
        """fairseq's (loss, sample size, logging output); the loss is a sum over samples."""
        outputs = model(**sample["net_input"]).float()
        targets = sample["target"]
        count = len(targets)
        mean = self.mean_loss(outputs, targets)
        followed = self.followed(mean) if model.training else mean
        logged = {"loss": mean.detach() * count, "ntokens": sample["ntokens"], "nsentences": count}
        logging: Dict[str, Any] = {**logged, "sample_size": count}
        if not model.training:
            logging["predictions"], logging["targets"] = outputs.detach().tolist(), targets.tolist()
            logging["names"] = self.names()
        return followed * count, count, logging

    def mean_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Loss of a batch."""
        raise NotImplementedError

    def followed(self, loss: Tensor) -> Tensor:
        """What the gradient is taken of."""
        return loss

    def names(self) -> List[str]:
        """What is needed besides predictions to work out the metrics."""
        return []

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        """Predictions of all ranks are put together, not added up."""
        return False


def log_loss(logging_outputs: List[Dict[str, Any]]) -> None:
    """Log the mean loss of a batch of all ranks."""
    loss, count = (float(sum(log[name] for log in logging_outputs)) for name in ("loss", "sample_size"))
    metrics.log_scalar("loss", loss / max(count, 1), count, round=DIGITS)


def predicted(logging_outputs: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """The logs of validation, which hold predictions."""
    return [log for log in logging_outputs if log.get("predictions")]


@register_criterion("multimodal_regression", dataclass=MultimodalRegressionConfig)
class MultimodalRegressionCriterion(MultimodalCriterion):
    """One number a sample; ``mae``, ``pearson``, ``acc7``, both readings of ``acc2`` and ``f1``."""

    def __init__(self, cfg: MultimodalRegressionConfig, task: Any) -> None:
        super().__init__(task)
        if cfg.loss not in LOSSES:
            raise ValueError(f"`criterion.loss` is {cfg.loss!r}; expected one of {', '.join(LOSSES)}")
        if task.emotions:
            raise ValueError("`criterion` is multimodal_regression, but `task.target` is emotions; set both alike")
        self.cfg = cfg

    def mean_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean of the chosen loss between (B, 1) and (B,)."""
        return LOSSES[self.cfg.loss](outputs.view(-1), targets)

    def followed(self, loss: Tensor) -> Tensor:
        """The loss over its own value, of which nothing is left but the gradient; a loss of 0 stays so."""
        return loss / loss.detach().clamp_min(torch.finfo(loss.dtype).tiny) if self.cfg.loss_norm else loss

    @staticmethod
    def reduce_metrics(logging_outputs: List[Dict[str, Any]]) -> None:
        """Log a batch of all ranks; the metrics are worked out when the set is through."""
        log_loss(logging_outputs)
        found = predicted(logging_outputs)
        if found:
            log_whole_set(found, _sentiment, sentiment_names(), DIGITS)


def _sentiment(predictions: List[Any], targets: List[Any]) -> Dict[str, float]:
    return sentiment_scores([row[0] for row in predictions], targets)


@register_criterion("multimodal_emotion", dataclass=MultimodalEmotionConfig)
class MultimodalEmotionCriterion(MultimodalCriterion):
    """Some emotions a sample, each with classes of its own: cross-entropy, ``accuracy`` and ``f1`` of each.

    With ``class_weights`` inverse an emotion with a share p of positives weighs its classes by p and 1 - p, as shares
    of the batch, and the emotions' losses are averaged.
    """

    def __init__(self, cfg: MultimodalEmotionConfig, task: Any) -> None:
        super().__init__(task)
        if cfg.class_weights not in WEIGHTS:
            raise ValueError(f"`criterion.class_weights` is {cfg.class_weights!r}; expected none or inverse")
        if not task.emotions:
            raise ValueError("`criterion` is multimodal_emotion, but `task.target` is regression; set both alike")
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
        """Share of positives of each emotion in the training set; raises ValueError where no set tells."""
        shares: Optional[List[float]] = self.task.positive_shares()
        if shares is None:
            raise ValueError(
                "`criterion.class_weights` inverse needs two classes and a training set to count them in, or "
                "`task.positive_shares`, one for each emotion"
            )
        return shares

    def names(self) -> List[str]:
        """The emotions."""
        return list(self.task.emotions)

    @staticmethod
    def reduce_metrics(logging_outputs: List[Dict[str, Any]]) -> None:
        """Log a batch of all ranks; the metrics are worked out when the set is through."""
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
