"""The common part of criterions for multimodal targets: forward pass, logs, mean loss."""

from typing import Any, Dict, List, Tuple

from fairseq import metrics
from fairseq.criterions import FairseqCriterion
from torch import Tensor

DIGITS = 4
Output = Tuple[Tensor, int, Dict[str, Any]]


class MultimodalCriterion(FairseqCriterion):
    """Forward pass and logs; a subclass adds the loss of its kind of target."""

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
        """Return the mean loss of a batch."""
        raise NotImplementedError

    def followed(self, loss: Tensor) -> Tensor:
        """Return the loss to differentiate in training."""
        return loss

    def names(self) -> List[str]:
        """Return names that the metrics need in addition to predictions."""
        return []

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        """Predictions of all ranks are concatenated, not added up."""
        return False


def log_loss(logging_outputs: List[Dict[str, Any]]) -> None:
    """Log the mean loss of a batch of all ranks."""
    loss, count = (float(sum(log[name] for log in logging_outputs)) for name in ("loss", "sample_size"))
    metrics.log_scalar("loss", loss / max(count, 1), count, round=DIGITS)


def predicted(logging_outputs: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """The logs of validation, which hold predictions."""
    return [log for log in logging_outputs if log.get("predictions")]
