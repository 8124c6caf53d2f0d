"""Criterion `data2vec_sentence_prediction`: fairseq's `sentence_prediction` with GLUE's metrics over the whole set."""

import math
from dataclasses import dataclass
from typing import Any, Dict, List, Tuple

import torch.nn.functional as F
from fairseq import metrics
from fairseq.criterions import FairseqCriterion, register_criterion
from fairseq.dataclass import FairseqDataclass
from torch import Tensor

from ..config_keys import key
from .glue_metrics import METRICS, NAMES, POSITIVE
from .whole_set import log_whole_set


@dataclass
class SentencePredictionCriterionConfig(FairseqDataclass):
    """The keys of `sentence_prediction` on fairseq's main branch."""

    classification_head_name: str = key("sentence_classification_head", "name of the model's classification head")
    regression_target: bool = key(False, "targets are numbers, and the loss is the squared error")
    report_mcc: bool = key(False, "report Matthews' correlation as `mcc` (CoLA)")
    report_acc_and_f1: bool = key(False, "report `f1` and `acc_and_f1` (MRPC, QQP)")
    report_pearson_and_spearman: bool = key(
        False, "report `pearson`, `spearman` and `pearson_and_spearman` (STS-B; needs regression_target)"
    )


@register_criterion("data2vec_sentence_prediction", dataclass=SentencePredictionCriterionConfig)
class Data2VecSentencePredictionCriterion(FairseqCriterion):
    """Cross-entropy in bits, or squared error; metrics are those of the whole set, never means over batches."""

    def __init__(self, cfg: SentencePredictionCriterionConfig, task: Any) -> None:
        super().__init__(task)
        self.cfg = cfg
        self.reports = [name for name in METRICS if getattr(cfg, name)]
        self.labels: List[str] = [] if cfg.regression_target else label_names(task.label_dictionary)
        check_reports(cfg, self.labels)

    def forward(self, model: Any, sample: Dict[str, Any], reduce: bool = True) -> Tuple[Tensor, int, Dict[str, Any]]:
        """fairseq's (loss, sample size, logging output); the loss is a sum over sentences."""
        head = self.cfg.classification_head_name
        logits, _ = model(**sample["net_input"], features_only=True, classification_head_name=head)
        targets = model.get_targets(sample, [logits]).view(-1)
        logits = logits.float()
        if self.cfg.regression_target:
            loss = F.mse_loss(logits.view(-1), targets.float(), reduction="sum")
        else:
            loss = F.cross_entropy(logits.view(len(targets), -1), targets, reduction="sum")
        count = targets.numel()
        logging = {"loss": loss.detach(), "ntokens": sample["ntokens"], "nsentences": count, "sample_size": count}
        if not self.cfg.regression_target:
            logging["ncorrect"] = (logits.view(count, -1).argmax(1) == targets).sum()
        if self.reports and not model.training:
            logging["predictions"], logging["targets"] = self.readable(logits.detach(), targets)
            logging["reports"] = self.reports
        return loss, count, logging

    def readable(self, logits: Tensor, targets: Tensor) -> Tuple[List[Any], List[Any]]:
        """Return predictions and targets as numbers, or as labels, since fairseq numbers labels by their frequency."""
        if self.cfg.regression_target:
            return logits.view(-1).tolist(), targets.tolist()
        chosen: List[int] = logits.view(len(targets), -1).argmax(1).tolist()
        return [self.labels[index] for index in chosen], [self.labels[index] for index in targets.tolist()]

    @staticmethod
    def reduce_metrics(logging_outputs: List[Dict[str, Any]]) -> None:
        """Log a batch of all ranks; metrics are computed over all predictions of the set."""
        sums = {name: float(sum(log.get(name, 0) for log in logging_outputs)) for name in SUMMED}
        count = max(sums["sample_size"], 1)
        is_regression = "ncorrect" not in logging_outputs[0]
        unit = 1.0 if is_regression else math.log(2)
        metrics.log_scalar("loss", sums["loss"] / count / unit, count, round=3)
        if not is_regression:
            metrics.log_scalar("accuracy", 100 * sums["ncorrect"] / count, count, round=2)
        reported = [log for log in logging_outputs if log.get("reports")]
        for place, report in enumerate(dict.fromkeys(name for log in reported for name in log["reports"])):
            log_whole_set([] if place else reported, METRICS[report], NAMES[report])

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        """Predictions of all ranks are concatenated, not added up."""
        return False


SUMMED = ("loss", "ncorrect", "sample_size")


def label_names(dictionary: Any) -> List[str]:
    """Return the labels in the order of their numbers, without the dictionary's special symbols."""
    return [dictionary[index] for index in range(dictionary.nspecial, len(dictionary))]


def check_reports(cfg: SentencePredictionCriterionConfig, labels: List[str]) -> None:
    """Raise ValueError for a metric that these targets do not have."""
    if cfg.report_pearson_and_spearman and not cfg.regression_target:
        raise ValueError(
            "`criterion.report_pearson_and_spearman` needs numbers: set `criterion.regression_target=true`"
        )
    for name in ("report_mcc", "report_acc_and_f1"):
        if getattr(cfg, name) and cfg.regression_target:
            raise ValueError(f"`criterion.{name}` needs labels, but `criterion.regression_target` is true")
    if cfg.report_acc_and_f1 and POSITIVE not in labels:
        raise ValueError(
            f"`criterion.report_acc_and_f1` is the F1 of label {POSITIVE!r}, which is not in label/dict.txt; it has "
            f"{', '.join(labels[:5])}"
        )
