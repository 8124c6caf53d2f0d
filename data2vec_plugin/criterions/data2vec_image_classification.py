"""Criterion `data2vec_image_classification`: the model's cross-entropy, and accuracy over the whole set."""

from dataclasses import dataclass
from typing import Any, Dict, List, Tuple

from fairseq import metrics
from fairseq.criterions import FairseqCriterion, register_criterion
from fairseq.dataclass import FairseqDataclass
from torch import Tensor

from .accuracy import COUNTS, log_accuracy


@dataclass
class ImageClassificationCriterionConfig(FairseqDataclass):
    """No keys: all settings belong to the model."""


@register_criterion("data2vec_image_classification", dataclass=ImageClassificationCriterionConfig)
class Data2VecImageClassificationCriterion(FairseqCriterion):
    """Sums the cross-entropy of images, in nats; logs ``accuracy`` and ``accuracy_top5`` if the model counts hits."""

    def forward(self, model: Any, sample: Dict[str, Any], reduce: bool = True) -> Tuple[Tensor, int, Dict[str, Any]]:
        """fairseq's (loss, sample size, logging output); nothing in it waits for the device."""
        output = model(**sample["net_input"])
        loss = output["losses"]["regression"].float().sum()
        images: int = output["sample_size"]
        logging = {"loss": loss.detach(), "ntokens": images, "nsentences": images, "sample_size": images}
        logging.update({count: output[count] for count in COUNTS if count in output})
        return loss, images, logging

    @staticmethod
    def reduce_metrics(logging_outputs: List[Dict[str, Any]]) -> None:
        """Log a batch of all ranks."""
        loss, images = (float(sum(log[key] for log in logging_outputs)) for key in ("loss", "sample_size"))
        metrics.log_scalar("loss", loss / max(images, 1), images, round=3)
        log_accuracy(logging_outputs)

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        """Every entry is a sum."""
        return True
