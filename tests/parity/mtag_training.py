"""Losses, gradients and training steps of MTAG, held against what a case has recorded of them, under any of its names.

    out.loss  out.mse  out.loss_sl1  out.inverse_ce      a loss; without a name, or `loss`, that of the configuration
    grad.PARAMETER  out.mse.grad.PARAMETER               a gradient of it, of a `..._normed` one where it says so
    RUN.losses  RUN.w3.PARAMETER  RUN.losses_normed      training: before each step the loss, weights after three steps

RUN names its optimiser (`adamw_lr1e-3_wd1e-2`, `sgd_lr1e-2_m0.9`), or is an entry of `runs` with its settings.
"""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any, Dict, Iterator, List, Mapping, Tuple

import torch
from torch import Tensor, nn

from data2vec_plugin.criterions.multimodal_emotion import MultimodalEmotionConfig, MultimodalEmotionCriterion
from data2vec_plugin.criterions.multimodal_regression import MultimodalRegressionConfig, MultimodalRegressionCriterion

from parity.cases import error, gradient_differences  # isort: skip
from parity.mtag_models import GRAPH, BY_GRAPH, Recorded, recorded_model  # isort: skip

LOSS, STEP = 1e-5, 1e-3
"""Largest difference of a loss, and of an update as a share of its length."""
ROUNDING = 1e-5
"""Gradients below this share of the largest are rounding."""
LABELS = ("in.labels", "in.label", "in.targets", "in.target", "in.truth")
REGRESSION = {"smooth_l1": "smooth_l1", "smoothl1": "smooth_l1", "sl1": "smooth_l1", "mse": "mse", "l1": "l1"}
EMOTIONS = {"inverse": "inverse", "weighted": "inverse", "cross_entropy": "none", "ce": "none"}
"""Names that losses go by, and ours."""
SHARES = [954 / 2717, 338 / 2717, 690 / 2717, 735 / 2717]
NORMED = re.compile(r"norm(ed|alised|alized)?(_loss)?\b|loss_norm")
STEPS = re.compile(r"(?:^|[._])(?:w|step|steps|after|update)_?(\d+)$")


class Outputs(nn.Module):
    """MTAG with the call that criterions make."""

    def __init__(self, graph: nn.Module) -> None:
        super().__init__()
        self.graph = graph

    def forward(self, **inputs: Tensor) -> Tensor:
        return self.graph(inputs)


class Training:
    """A recorded model with its labels."""

    def __init__(self, recorded: Recorded, form: str) -> None:
        self.recorded, self.form, self.config = recorded, form, recorded.config
        labels = next((recorded.tensors[name] for name in LABELS if name in recorded.tensors), None)
        self.emotions = self.config["label_dim"] > 1
        self.labels = None if labels is None else self.shaped(labels)

    def shaped(self, labels: Tensor) -> Tensor:
        """(B,) numbers, or (B, emotions) classes."""
        if not self.emotions:
            return labels.flatten().float()
        return (labels[..., 1] if labels.dim() == 3 else labels).long()

    def criterion(self, words: str) -> Any:
        """Our criterion for the loss that a name speaks of, or the configuration."""
        known = EMOTIONS if self.emotions else REGRESSION
        named = next((loss for name, loss in known.items() if re.search(rf"(?:^|[._]){name}(?:$|[._])", words)), None)
        if self.emotions:
            task = SimpleNamespace(emotions=["neutral", "happy", "sad", "angry"], positive_shares=self.shares)
            inverse = self.config.get("use_iemocap_inverse_sample_count_ce_loss", 0)
            return MultimodalEmotionCriterion(
                MultimodalEmotionConfig(class_weights=named or ("inverse" if inverse else "none")), task
            )
        loss = named or REGRESSION[self.config.get("loss_type", self.config.get("loss", "smooth_l1"))]
        normed = bool(NORMED.search(words)) or (not named and bool(self.config.get("use_loss_norm", 0)))
        settings = MultimodalRegressionConfig(loss=loss, loss_norm=normed)
        return MultimodalRegressionCriterion(settings, SimpleNamespace(emotions=[]))

    def shares(self) -> List[float]:
        """Of positives, of each emotion."""
        return list(self.config.get("positive_shares", SHARES))

    def model(self, words: str = "") -> Outputs:
        """The model as it starts, ready to train; all its dropouts are 0."""
        return Outputs(recorded_model(self.recorded, self.form, GRAPH if words.endswith(BY_GRAPH) else "")).train()

    def losses(self, model: Outputs, words: str) -> Tuple[Tensor, Tensor]:
        """What is minimised, and what is logged: the mean over the batch."""
        sample = {"net_input": self.recorded.inputs, "target": self.labels, "ntokens": len(self.labels)}
        total, count, log = self.criterion(words)(model, sample)
        return total / count, log["loss"] / count

    def gradients(self, words: str) -> Dict[str, Tensor]:
        """Of every parameter."""
        model = self.model(words)
        self.losses(model, words)[0].backward()
        return {name: weights.grad for name, weights in model.graph.named_parameters() if weights.grad is not None}

    def steps(self, run: str, count: int) -> Iterator[Tuple[Tensor, Tensor, Dict[str, Tensor]]]:
        """Both losses before each of ``count`` steps, and the weights after it."""
        model = self.model()
        optimizer = optimizer_of(run, self.config, model)
        for _ in range(count):
            optimizer.zero_grad()
            minimised, logged = self.losses(model, run)
            minimised.backward()
            optimizer.step()
            yield minimised.detach(), logged, {name: value.clone() for name, value in model.graph.state_dict().items()}


def optimizer_of(run: str, config: Mapping[str, Any], model: nn.Module) -> torch.optim.Optimizer:
    """The optimiser that a run's name tells, its entry in `runs`, or the release's keys."""
    runs = config.get("runs", {})
    told = {**config, **(runs.get(run, {}) if isinstance(runs, dict) else {})}
    kind = next(
        (word for word in re.split("[._]", run) if word in ("adamw", "adam", "sgd")), told.get("optimizer", "adamw")
    )
    rate = in_name("lr", run, told.get("lr", told.get("global_lr", 1e-3)))
    decay = in_name("wd", run, told.get("weight_decay", 1e-2 if kind == "adamw" else 0.0))
    if kind == "sgd":
        momentum = in_name("m", run, told.get("momentum", 0.0))
        return torch.optim.SGD(model.parameters(), rate, momentum=momentum, weight_decay=decay)
    made = torch.optim.AdamW if kind == "adamw" else torch.optim.Adam
    betas = told.get("betas", (told.get("beta1", 0.9), told.get("beta2", 0.999)))
    return made(model.parameters(), rate, betas=tuple(betas), eps=told.get("eps", 1e-8), weight_decay=decay)


def in_name(letters: str, run: str, otherwise: float) -> float:
    """The number behind some letters in the name of a run."""
    found = re.search(rf"(?:^|[._]){letters}(\d[\d.]*(?:e-?\d+)?)", run)
    return float(found.group(1).rstrip(".")) if found else float(otherwise)


def compare_training(recorded: Recorded, form: str) -> Tuple[List[str], List[str]]:
    """Names of the losses, gradients and weights that were compared, and what is wrong with some."""
    training = Training(recorded, form)
    if training.labels is None:
        return [], []
    names = sorted(recorded.weights, key=len, reverse=True)
    gradients: Dict[str, Dict[str, Tensor]] = {}
    weights: Dict[Tuple[str, int], Dict[str, Tensor]] = {}
    losses: List[str] = []
    for key, value in recorded.tensors.items():
        parameter = next((name for name in names if key.endswith(f".{name}")), None)
        head = key[: -len(parameter) - 1] if parameter else key
        step = STEPS.search(head)
        if parameter and "grad" in head:
            gradients.setdefault(head, {})[parameter] = value
        elif parameter and step and head not in ("w0", "w"):
            weights.setdefault((head[: step.start()], int(step.group(1))), {})[parameter] = value
        elif parameter is None and not key.startswith("in.") and is_loss(key):
            losses.append(key)
    wrong = [
        *wrong_losses(training, losses),
        *(line for head, values in gradients.items() for line in wrong_gradients(training, head, values)),
        *(line for (run, count), values in weights.items() for line in wrong_weights(training, run, count, values)),
    ]
    return [*losses, *gradients, *(f"{run} {count}" for run, count in weights)], wrong


def is_loss(key: str) -> bool:
    """Whether a name is that of a loss or of some."""
    last = key.split(".")[-1]
    return "loss" in last or (
        key.startswith("out.") and any(last.startswith(name) for name in (*REGRESSION, *EMOTIONS))
    )


def wrong_losses(training: Training, keys: List[str]) -> Iterator[str]:
    for key in keys:
        value = training.recorded.tensors[key]
        if value.numel() == 1 and not key.endswith("losses"):
            found = training.losses(training.model(key), key)
            ours: Tuple[Tensor, ...] = tuple(loss.detach().reshape(value.shape) for loss in found)
        else:
            found = list(training.steps(run_of(key), len(value)))
            ours = (torch.stack([step[0] for step in found]), torch.stack([step[1] for step in found]))
        # a normalised loss is 1, if that is what was taken down
        differs = min(error(loss, value) for loss in (ours if bool((value == 1).all()) else ours[1:]))
        if not differs <= LOSS:
            yield f"{key}: {differs:.1e} > {LOSS:.0e}"


def run_of(key: str) -> str:
    """The run that `RUN.losses` is of."""
    return key.rpartition(".")[0]


def wrong_gradients(training: Training, head: str, values: Mapping[str, Tensor]) -> Iterator[str]:
    ours = training.gradients(head.replace("grad_norm", "grad"))
    if "grad_norm" in head:
        ours = {name: value.norm() for name, value in ours.items()}
    yield from (f"{head}.{line}" for line in gradient_differences(ours, values))


def wrong_weights(training: Training, run: str, count: int, values: Mapping[str, Tensor]) -> Iterator[str]:
    """Updates that differ by more than a thousandth of their length.

    Weights whose gradient is 0 but for rounding are left out: Adam makes whole steps of it.
    """
    start, gradients = training.recorded.weights, training.gradients(run)
    least = ROUNDING * max(float(gradient.abs().max()) for gradient in gradients.values())
    *_, (_, _, ours) = training.steps(run, count)
    for name, value in values.items():
        told = gradients[name].abs() > least if name in gradients else torch.ones_like(value, dtype=torch.bool)
        moved, differs = (value - start[name])[told].norm(), (ours[name] - value)[told].norm()
        if not differs <= STEP * moved + 1e-6 * value.norm():
            yield f"{run}.w{count}.{name}: {differs:.1e} of {moved:.1e}"
