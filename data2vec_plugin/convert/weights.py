"""Weights of a checkpoint with our names in memory: out of it, back into it, and whether they are all there."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Tuple

import torch
from fairseq.data import Dictionary
from torch import Tensor, nn

from ..checkpoints.encoder_checkpoint import Checkpoint, untrained
from ..core.teacher import FORMAT_KEY, UPDATES_KEY
from ..interop.fairseq.text_v1 import VERSION
from ..interop.layout import Layout
from ..interop.mismatch import explain, shapes
from ..interop.parts import name_encoder, plain_names
from .modality import Weights

HEAD, PREDICTION, MASK = "head.", "final_proj.", "mask_emb"
FRESH = (MASK, PREDICTION)
"""What a model of Hugging Face's may lack: how these begin."""
NO_WEIGHTS = (UPDATES_KEY, FORMAT_KEY, VERSION)
"""What a teacher's entry holds besides."""


def encoder_weights(checkpoint: Checkpoint, layout: Layout, model: Any, teacher: bool) -> Weights:
    """The student's weights, or the ``teacher``'s in place of those that it averages; fp32, our names in memory.

    ``model`` is the checkpoint's, to tell what should be there.

    Raises ValueError if there is no teacher, or if anything is missing or of another size than the configuration.
    """
    state: Dict[str, Any] = dict(checkpoint.weights)
    layout.from_upstream(state)
    state = {name: value for name, value in state.items() if not name.startswith("classification_heads.")}
    average = state.pop("_ema", None)
    if teacher:
        if not average:
            raise ValueError(f"`--teacher`: checkpoint {checkpoint.path} holds no teacher (`_ema`); leave it out")
        entry = {name: value for name, value in average.items() if name not in NO_WEIGHTS}
        layout.teacher_from_upstream(entry)
        name_encoder(entry)
        state.update(entry)
    if checkpoint.fine_tuned:
        model.remove_pretraining_modules()
    check(f"checkpoint {checkpoint.path}", state, shapes(plain_state(model)))
    return single(state)


def completed(source: str, state: Weights, model: Any, pretrained: bool) -> Tuple[Weights, List[str]]:
    """The weights of another's encoder with what only pre-training needs made anew, and the names of that.

    Raises ValueError if anything else is missing, or of another size than the ``model``.
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
    """The teacher's entry before the first update: the student's own tensors, which a file holds once."""
    prefix = "" if model.config.teacher.scope == "model" else "encoder."
    entry = {name[len(prefix) :]: value for name, value in state.items() if name.startswith(prefix)}
    layout.teacher_to_upstream(entry)
    return entry


def plain_state(model: Any) -> Dict[str, Any]:
    """The state of one of our models with plain names, without a teacher."""
    return plain_names(model, nn.Module.state_dict(model))


def outline(root: Mapping[str, Any], symbols: int) -> Any:
    """The model of a configuration, without memory for its weights."""
    dictionary = Dictionary()
    dictionary.add_symbol("<mask>")
    for number in range(symbols - len(dictionary)):
        dictionary.add_symbol(f"{number}")  # an embedding needs to know how many
    with torch.device("meta"):
        return untrained(root, dictionary)


def check(source: str, state: Mapping[str, Any], wanted: Mapping[str, Tuple[int, ...]]) -> None:
    """Raise ValueError unless the names and shapes are those that are wanted."""
    reason = explain(shapes(state), dict(wanted))
    if reason:
        raise ValueError(f"{source} does not fit its own configuration: {reason}")


def fresh(head: nn.Module) -> Weights:
    """A prediction head as it is before training, always the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        made = head.to_empty(device="cpu")
        for module in made.modules():
            if callable(reset := getattr(module, "reset_parameters", None)):
                reset()
    return {PREDICTION + name: value for name, value in made.state_dict().items()}


def single(state: Mapping[str, Tensor]) -> Weights:
    """In fp32, which holds whatever was trained in half precision; what is fp32 is not copied."""
    return {name: value.detach().float() for name, value in state.items()}
