"""Criterion `data2vec`: the model's losses, and how much targets and predictions vary over the whole batch."""

from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Tuple

import torch
from fairseq import metrics
from fairseq.criterions import FairseqCriterion, register_criterion
from fairseq.dataclass import FairseqDataclass
from omegaconf import II
from torch import Tensor

from ..core.outputs import Tokens
from .collapse import CollapseGuard, TrivialWatch
from .variances import deviation_from_sums, relative_deviation, unexplained_share

VARIANCES = {"target_var": "_target", "pred_var": "_prediction"}
LOCAL = "local_var"
"""How much the embedded input varies over time and batch: a feature extractor may collapse while targets still vary."""


@dataclass
class Data2VecCriterionConfig(FairseqDataclass):
    """The keys of fairseq's `model` criterion, and the collapse guard."""

    loss_weights: Dict[str, float] = field(default_factory=dict, metadata={"help": "weight of each loss; empty for 1"})
    log_keys: List[str] = field(default_factory=list, metadata={"help": "other scalars of the model to log"})
    can_sum: bool = field(default=True, metadata={"help": "accepted; outputs are always summed"})
    min_target_var: float = II("model.min_target_var")
    min_pred_var: float = II("model.min_pred_var")
    min_local_var: float = field(
        default=0.01,
        metadata={
            "help": "standard deviation of the student's embeddings, relative to their size, below which it counts as "
            "collapsed"
        },
    )
    collapse_start: int = field(default=5000, metadata={"help": "updates before the collapse check starts"})
    collapse_patience: int = field(
        default=100,
        metadata={"help": "updates in a row below the minimum after which the run stops; 0: never"},
    )


@register_criterion("data2vec", dataclass=Data2VecCriterionConfig)
class Data2VecCriterion(FairseqCriterion):
    """Sums the model's losses; deviations are those of all masked positions of all micro-batches and ranks.

    fairseq reduces the logs of all ranks in a static method, which does not know whether this is training; its callers
    (this plugin's tasks, and its trainer for other tasks) also pass the logs to :meth:`observe`.
    """

    def __init__(self, cfg: Data2VecCriterionConfig, task: Any) -> None:
        super().__init__(task)
        self.cfg = cfg
        floors = {"target_var": cfg.min_target_var, "pred_var": cfg.min_pred_var, LOCAL: cfg.min_local_var}
        guarded = bool(cfg.collapse_patience)
        self.guard = CollapseGuard(floors, cfg.collapse_start, cfg.collapse_patience) if guarded else None
        self.trivial: Dict[str, TrivialWatch] = {}
        self.mask_key: Optional[str] = None

    def forward(self, model: Any, sample: Dict[str, Any], reduce: bool = True) -> Tuple[Tensor, Any, Dict[str, Any]]:
        """fairseq's (loss, sample size, logging output); the loss is a sum over masked positions."""
        output = model(**sample["net_input"])
        losses = self.weighted(output["losses"])
        loss = torch.stack([value.sum() for value in losses.values()]).sum()
        sample_size = output["sample_size"]
        logging: Dict[str, Any] = {
            "loss": loss.detach(),
            "ntokens": sample_size,
            "nsentences": sample["id"].numel(),
            "sample_size": sample_size,
            "_batches": 1,
            "_frames": output["mask_indices"].numel(),
            "_training": int(model.training),
            "_updates": output["num_updates"],
            "ema_decay": output["ema_decay"],
        }
        logging.update({key: output[key] for key in self.cfg.log_keys if output.get(key) is not None})
        names = output.get("loss_names", tuple(losses))  # all losses of the model: processes log the same keys
        if len(names) > 1:
            none = loss.detach().new_zeros(())
            logging.update({f"loss_{name}": losses[name].detach().sum() if name in losses else none for name in names})
        self.mask_key = output.get("mask_key")
        for mode in output.get("modes", ("",)):
            logging.update(variance_sums(output, mode))
        return loss, sample_size, logging

    def weighted(self, losses: Dict[str, Tensor]) -> Dict[str, Tensor]:
        """Return every loss times its weight, without those of weight 0; raises ValueError for a loss without one."""
        weights = self.cfg.loss_weights
        if not weights:
            return {name: value.float() for name, value in losses.items()}
        missing = set(losses) - set(weights)
        if missing:
            raise ValueError(f"`criterion.loss_weights` has no weight for {sorted(missing)}; got {dict(weights)}")
        return {name: weights[name] * value.float() for name, value in losses.items() if weights[name] != 0}

    def observe(self, logging_outputs: List[Dict[str, Any]]) -> None:
        """Check an update of training as a whole; raises CollapseError if values have not varied for too long."""
        totals = totals_of(logging_outputs)
        if not totals["_training"]:
            return
        update = int(totals["_updates"] / totals["_batches"])
        if self.guard is not None:
            for name, value in deviations(totals).items():
                self.guard.observe(name, value, update, self.mask_key)
        for name, share in unexplained(totals).items():
            self.trivial.setdefault(name, TrivialWatch()).observe(share, update)

    @staticmethod
    def reduce_metrics(logging_outputs: List[Dict[str, Any]]) -> None:
        """Log the update as a whole, from the outputs of all micro-batches and ranks."""
        totals = totals_of(logging_outputs)
        count = int(totals["sample_size"])
        metrics.log_scalar("loss", float(totals["loss"]) / max(count, 1), count, round=3)
        metrics.log_scalar("ntokens", count)
        metrics.log_scalar("nsentences", int(totals["nsentences"]))
        metrics.log_scalar("masked_pct", 100 * count / max(int(totals["_frames"]), 1), round=2)
        for name, value in deviations(totals).items():
            metrics.log_scalar(name, value, count, round=4)
        for name, value in unexplained(totals).items():
            metrics.log_scalar(name, value, count, round=3)
        for key, total in totals.items():
            if key.startswith("loss_"):
                if float(total) == 0:  # a modality that is not in this update
                    continue
                metrics.log_scalar(key, float(total) / max(count, 1), count, round=3)
            elif key not in LOGGED and not key.startswith("_"):
                metrics.log_scalar(key, float(total) / totals["_batches"], round=3)

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        """Every entry is a sum, vectors included, so that ranks need not exchange more."""
        return True


LOGGED = ("loss", "ntokens", "nsentences", "sample_size")


def row_sums(name: str, rows: Tensor) -> Dict[str, Tensor]:
    """Per-channel sums of (N, C) rows and of their squares, each (C,): enough for a variance over many batches."""
    rows = rows.detach().double()  # squares of nearly constant rows would cancel in fp32
    return {f"{name}_sum": rows.sum(0), f"{name}_squares": rows.square().sum(0)}


def totals_of(logging_outputs: List[Dict[str, Any]]) -> Dict[str, Any]:
    """Every entry summed over the outputs that have it, in the order in which keys first appear."""
    keys = dict.fromkeys(key for log in logging_outputs for key in log)
    return {key: sum(log[key] for log in logging_outputs if key in log) for key in keys}


def variance_sums(output: Dict[str, Any], mode: str) -> Dict[str, Any]:
    """Return sums over rows of targets and predictions; if a model has several modalities, for each of them.

    Sums of modalities that are not in the batch are zero, since processes add up their logs key by key.
    """
    suffix, here = f"_{mode}" if mode else "", output.get("mode", "") == mode
    sums: Dict[str, Any] = {f"_rows{suffix}": len(output["targets"]) if here else 0}
    for name, key in (("_target", "targets"), ("_prediction", "predictions")):
        sums.update(row_sums(f"{name}{suffix}", output[key] if here else output[key][:0]))
    if output.get("local") is not None:
        sums.update(local_sums(output["local"], f"_local{suffix}", here))
    error = output["predictions"].detach().double() - output["targets"]
    sums[f"_error{suffix}_squares"] = error.square().sum() * int(here)
    return sums


def local_sums(tokens: Tokens, name: str, here: bool) -> Dict[str, Tensor]:
    """Return sums (C,) of the embedded input and of its squares, and the number of tokens; padding is left out."""
    rows = slice(None) if here else slice(0)
    x = tokens.x[rows].detach().float()
    if tokens.padding_mask is not None:
        padding_mask = tokens.padding_mask[rows]
        x, count = x.masked_fill(padding_mask.unsqueeze(-1), 0), (~padding_mask).sum()
    else:
        count = torch.tensor(x[..., 0].numel(), device=x.device)
    return {f"{name}_sum": x.sum((0, 1)), f"{name}_squares": x.square().sum((0, 1)), f"{name}_count": count}


def found_in(totals: Dict[str, Any]) -> List[str]:
    """Return the suffixes of sums for the modalities of an update; one empty suffix if a model has one modality."""
    keys = [key for key in totals if key == "_rows" or (key.startswith("_rows") and totals[key])]
    return [key[len("_rows") :] for key in keys]


def deviations(totals: Dict[str, Any]) -> Dict[str, float]:
    """Return how much rows vary over an update, by logged name, for the modalities in it."""
    found = {}
    for suffix in found_in(totals):
        for name, key in VARIANCES.items():
            sums = totals[f"{key}{suffix}_sum"], totals[f"{key}{suffix}_squares"]
            found[name + suffix] = float(deviation_from_sums(*sums, int(totals[f"_rows{suffix}"])))
        if f"_local{suffix}_sum" in totals:
            local = (totals[f"_local{suffix}_{part}"] for part in ("sum", "squares", "count"))
            found[LOCAL + suffix] = relative_deviation(*local)
    return found


def unexplained(totals: Dict[str, Any]) -> Dict[str, float]:
    """Return the share of the targets' variance that predictions leave unexplained, by logged name."""
    found = {}
    for suffix in found_in(totals):
        sums = totals[f"_target{suffix}_sum"], totals[f"_target{suffix}_squares"]
        error, count = totals[f"_error{suffix}_squares"], int(totals[f"_rows{suffix}"])
        found[f"unexplained{suffix}"] = unexplained_share(error, *sums, count)
    return found
