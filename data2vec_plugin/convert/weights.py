"""Reads and writes a checkpoint's weights with this plugin's names, and checks that they are complete."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Tuple

import torch
from fairseq.data import Dictionary
from torch import Tensor, nn

from ..checkpoints.encoder_checkpoint import Checkpoint, untrained
from ..checkpoints.without_values import without_values
from ..core.teacher import FORMAT_KEY, UPDATES_KEY
from ..interop.fairseq.text_v1 import VERSION
from ..interop.layout import Layout
from ..interop.mismatch import explain, shapes
from ..interop.parts import name_encoder, plain_names
from .modality import Weights

HEAD, PREDICTION, MASK = "head.", "final_proj.", "mask_emb"
FRESH = (MASK, PREDICTION)
"""Prefixes of weights that a Hugging Face model may lack."""
NO_WEIGHTS = (UPDATES_KEY, FORMAT_KEY, VERSION)
"""Other content of a teacher's entry."""


def encoder_weights(checkpoint: Checkpoint, layout: Layout, model: Any, teacher: bool) -> Weights:
    """The student's weights, with those that the ``teacher`` averages replaced if requested; fp32, this plugin's names.

    ``model`` is the checkpoint's, which defines the expected weights.

    Raises ValueError if there is no teacher, or if a weight is missing or does not match the configuration's size.
    """
    state: Dict[str, Any] = dict(checkpoint.weights)
    layout.from_upstream(state)
    state = {name: value for name, value in state.items() if not name.startswith("classification_heads.")}
    average = state.pop("_ema", None)
    if teacher:
        if not average:
            raise ValueError(
                f"`--teacher`: checkpoint {checkpoint.path} holds no teacher (`_ema`); leave the option out"
            )
        entry = {name: value for name, value in average.items() if name not in NO_WEIGHTS}
        layout.teacher_from_upstream(entry)
        name_encoder(entry)
        state.update(entry)
    if checkpoint.fine_tuned:
        model.remove_pretraining_modules()
    check(f"checkpoint {checkpoint.path}", state, shapes(plain_state(model)))
    return single(state)


def completed(source: str, state: Weights, model: Any, pretrained: bool) -> Tuple[Weights, List[str]]:
    """The weights of a foreign encoder, with newly initialised weights for pre-training, and the names of those.

    Raises ValueError if any other weight is missing, or does not match the size in ``model``.
    """
    if not pretrained:
        model.remove_pretraining_modules()
    wanted = plain_state(model)
    absent = [name for name in wanted if name not in state and name.startswith(FRESH)]
    check(source, state, {name: shape for name, shape in shapes(wanted).items() if name not in absent})
    head = fresh(model.method.predictor) if pretrained else {}
    made = {name: head.get(name, torch.zeros(wanted[name].shape)) for name in absent}
    return {**single(state), **made}, absent


def first_teacher(state: Weights, model: Any, layout: Layout) -> Weights:
    """The teacher's entry before the first update: the student's own tensors, which a file stores once."""
    prefix = "" if model.config.teacher.scope == "model" else "encoder."
    entry = {name[len(prefix) :]: value for name, value in state.items() if name.startswith(prefix)}
    layout.teacher_to_upstream(entry)
    return entry


def plain_state(model: Any) -> Dict[str, Any]:
    """The state of one of this plugin's models with plain names, without a teacher."""
    return plain_names(model, nn.Module.state_dict(model))


def outline(root: Mapping[str, Any], symbols: int) -> Any:
    """The model of a configuration, on the meta device."""
    dictionary = Dictionary()
    dictionary.add_symbol("<mask>")
    for number in range(symbols - len(dictionary)):
        dictionary.add_symbol(f"{number}")  # the embedding depends on their number
    with torch.device("meta"), without_values():
        return untrained(root, dictionary)


def check(source: str, state: Mapping[str, Any], wanted: Mapping[str, Tuple[int, ...]]) -> None:
    """Raise ValueError unless the names and shapes are the expected ones."""
    reason = explain(shapes(state), dict(wanted))
    if reason:
        raise ValueError(f"{source} does not match its own configuration: {reason}")


def fresh(head: nn.Module) -> Weights:
    """A newly initialised prediction head, always the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        made = head.to_empty(device="cpu")
        for module in made.modules():
            if callable(reset := getattr(module, "reset_parameters", None)):
                reset()
    return {PREDICTION + name: value for name, value in made.state_dict().items()}


def single(state: Mapping[str, Tensor]) -> Weights:
    """In fp32, without copying tensors that are fp32 already."""
    return {name: value.detach().float() for name, value in state.items()}
