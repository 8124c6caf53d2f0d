"""Resumes runs of upstream, and old runs of this plugin, whose parameters had another order.

The optimizer's state is mapped to the parameters of this run, or the optimizer starts fresh.
"""

from __future__ import annotations

import logging
from itertools import accumulate
from typing import Any, Dict, Iterator, List, Mapping, MutableMapping, Set, Tuple

import torch
from torch import Tensor
from torch.nn import Parameter

from ...core.teacher import FIRST_FORMAT, FORMAT, FORMAT_KEY
from ...interop.fairseq.optimizer_order import UnprovenOrderError, several, take_over
from ...interop.mismatch import Shapes, shapes
from ..training.optimizer import check_unsharded, torch_optimizers

logger = logging.getLogger(__name__)

STATE, HISTORY = "last_optimizer_state", "optimizer_history"


def build_together(trainer: Any) -> None:
    """Wrap the model on all processes before one of them reads: the optimizer to adapt is built on the wrapper."""
    if trainer.data_parallel_world_size > 1 and has_layouts(trainer.get_model()):
        trainer.model  # noqa: B018  (wraps it, which all processes must do together)


def adapt(trainer: Any, anew: bool, path: str, state: Dict[str, Any]) -> None:
    """Adapt a checkpoint to the trainer, in place; ``anew`` if a new run starts from its weights."""
    model = trainer.get_model()
    if not has_layouts(model):
        return
    if hasattr(model, "begin_with"):
        model.begin_with(path, state, anew)
    if not anew:
        adopt_optimizer(trainer, path, state)


def adopt_optimizer(trainer: Any, path: str, state: Dict[str, Any]) -> None:
    """Convert a checkpoint's optimizer state for the trainer, in place; this plugin's checkpoints are unchanged.

    Teacher, updates and learning rate are resumed in any case.
    """
    model, weights = trainer.get_model(), state["model"]
    if not has_layouts(model) or is_ours(model, weights):
        return
    if not state.get(STATE):
        logger.warning(f"{path} holds no optimizer state: optimizer and learning rate start fresh, at update 0")
        return
    check_unsharded(trainer.cfg, "the optimizer state of another implementation needs")
    fresh = trainer.optimizer.state_dict()
    old = FIRST_FORMAT in teacher_formats(model, weights)
    try:
        entries = reordered(trainer, state[STATE]) if old else positions(trainer, state)
        taken = with_entries(state[STATE] if old else fresh, entries)
    except UnprovenOrderError as reason:
        logger.warning(
            f"{path}: the optimizer starts fresh, because {reason}; weights, teacher, updates and learning rate are "
            "resumed"
        )
        taken = fresh
    else:
        logger.info(f"{path}: the optimizer state was converted, parameter by parameter")
    if "loss_scale" in taken and "loss_scale" in state[STATE]:
        taken["loss_scale"] = state[STATE]["loss_scale"]
    state[STATE] = taken
    if not old:
        rename_history(trainer, state[HISTORY][-1])


def has_layouts(model: Any) -> bool:
    """Whether a model is a data2vec model, or contains one."""
    return any(True for _ in layouts(model))


def layouts(model: Any) -> Iterator[Tuple[str, Any]]:
    """Yield the layouts of our models in a model, with the prefixes of their parameters' names."""
    for name, module in model.named_modules():
        if hasattr(module, "layout"):
            yield (f"{name}." if name else ""), module.layout


def is_ours(model: Any, weights: Mapping[str, Any]) -> bool:
    """Whether this plugin saved the weights: they are in its order, or a teacher of this plugin is saved with them."""
    formats = teacher_formats(model, weights)
    if formats:
        return FORMAT in formats or not any(layout.reordered for _, layout in layouts(model))
    return list(shapes(weights)) == list(shapes(model.state_dict()))


def teacher_formats(model: Any, weights: Mapping[str, Any]) -> List[int]:
    """Return the formats of the teachers that this plugin saved with the weights."""
    teachers = [weights.get(prefix + layout.TEACHER) or {} for prefix, layout in layouts(model)]
    return [int(entry[FORMAT_KEY]) for entry in teachers if FORMAT_KEY in entry]


def reordered(trainer: Any, saved: Mapping[str, Any]) -> Dict[int, Dict[str, Any]]:
    """Return the saved state of parameters in their former order, by position in the current order.

    Raises UnprovenOrderError for groups of other sizes than the trainer's.
    """
    model, start = trainer.get_model(), 0
    parts, taken = held(trainer.optimizer, model), {}
    for group in saved["param_groups"]:
        own = parts[start : start + len(group["params"])]
        names = {name: torch.empty(shape, device="meta") for part in own for name, shape in part.items()}
        first = dict(sorted(names.items(), key=lambda named: first_place(model, named[0])))
        entries = take_over({**saved, "param_groups": [group]}, first, lambda _: None, own)
        taken.update({start + place: entry for place, entry in entries.items()})
        start += len(own)
    return taken


def first_place(model: Any, name: str) -> int:
    """Return the position of a part of a parameter in the former order."""
    return max(layout.first_place(name[len(prefix) :]) for prefix, layout in layouts(model) if name.startswith(prefix))


def positions(trainer: Any, state: Mapping[str, Any]) -> Dict[int, Dict[str, Any]]:
    """Return upstream's optimizer state by the trainer's positions; raises UnprovenOrderError for an unknown order."""
    theirs, ours = optimizer_names(state), names_in(trainer.cfg.optimizer)
    if theirs and theirs != ours:
        raise UnprovenOrderError(f"its state is of {described(theirs)}, but this run's optimizer is {described(ours)}")
    model = trainer.get_model()

    def translate(entries: MutableMapping[str, Any]) -> None:
        for prefix, layout in layouts(model):
            layout.from_upstream(entries, prefix)

    group_of = next((getattr(layout, "optimizer_group", None) for _, layout in layouts(model)), None)
    own, frozen = held(trainer.optimizer, model), frozen_names(model)
    return take_over(state[STATE], state["model"], translate, own, frozen, group_of)


def with_entries(saved: Mapping[str, Any], entries: Mapping[int, Dict[str, Any]]) -> Dict[str, Any]:
    """Return an optimizer state with ``entries`` by position, counted through the parts of a composite optimizer."""
    parts, start, taken = several(saved), 0, dict(saved)
    if not parts:
        return {**saved, "state": dict(entries)}
    for name in parts:
        end = start + sum(len(group["params"]) for group in saved[name]["param_groups"])
        own = {place - start: entry for place, entry in entries.items() if start <= place < end}
        taken[name], start = {**saved[name], "state": own}, end
    return taken


def frozen_names(model: Any) -> Set[str]:
    """Return the parameters that are not trained, by their names in upstream's checkpoints."""
    frozen = {name: value.data for name, value in model.named_parameters() if not value.requires_grad}
    for prefix, layout in layouts(model) if frozen else ():
        layout.to_upstream(frozen, prefix)
    return set(frozen)


def optimizer_names(state: Mapping[str, Any]) -> Set[str]:
    """Return the optimizers that a checkpoint's configuration, old or new, names; empty if it names none."""
    cfg = state.get("cfg") or {}
    if "optimizer" in cfg:
        return names_in(cfg["optimizer"])
    return names_in(getattr(state.get("args"), "optimizer", None))


def names_in(section: Any) -> Set[str]:
    """Return the name of an optimizer, or the names in the groups of a composite one."""
    if not hasattr(section, "keys"):
        return {str(section)} if section else set()
    if section["_name"] != "composite":
        return {str(section["_name"])}
    return {name for group in section["groups"].values() for name in names_in(group["optimizer"])}


def described(names: Set[str]) -> str:
    """Format optimizers' names for a message."""
    return ", ".join(f"`{name}`" for name in sorted(names))


def held(optimizer: Any, model: Any) -> List[Shapes]:
    """Return names and shapes of the parameters in each tensor of a fairseq optimizer, in the order of its state.

    Under fp16 these are copies, or stretches of one flat copy. Raises UnprovenOrderError for parameters that are not
    the model's.
    """
    groups = (group for inner in torch_optimizers(optimizer) for group in inner.param_groups)
    tensors = [tensor for group in groups for tensor in group["params"]]
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    originals: List[Parameter] = getattr(optimizer, "fp16_params", tensors)
    if any(id(parameter) not in names for parameter in originals):
        raise UnprovenOrderError("this run trains more than the model's parameters")
    named = [(names[id(parameter)], tuple(parameter.shape)) for parameter in originals]
    copies: Any = getattr(optimizer, "fp32_params", tensors)
    if isinstance(copies, dict):
        return [stretch(tensor, originals, named) for tensor in tensors]
    by_copy = {id(copy): entry for copy, entry in zip(copies, named)}
    return [dict([by_copy[id(tensor)]]) for tensor in tensors]


def stretch(tensor: Tensor, originals: List[Parameter], named: List[Tuple[str, Tuple[int, ...]]]) -> Shapes:
    """Return the parameters in a stretch of the single flat copy, which holds them in the model's order."""
    start = int(tensor.storage_offset())
    starts = [0, *accumulate(parameter.numel() for parameter in originals)]
    return dict(entry for entry, first in zip(named, starts) if start <= first < start + tensor.numel())


def rename_history(trainer: Any, last: MutableMapping[str, Any]) -> None:
    """Rename criterion, optimizer and schedule in place: fairseq loads an optimizer state only if they match the run's.

    A schedule follows from the number of updates, so one of another kind may start from its own state.
    """
    schedule = trainer.lr_scheduler.state_dict()
    last["criterion_name"] = type(trainer.get_criterion()).__name__
    last["optimizer_name"] = type(trainer.optimizer).__name__
    if set(last.get("lr_scheduler_state") or ()) != set(schedule):
        last["lr_scheduler_state"] = schedule
