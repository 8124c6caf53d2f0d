"""Maps an optimizer state saved by other code to this plugin's parameters.

fairseq saves moments by position in the list of parameters, or as one flat vector under fp16. The saved weights are in
the same order, so they name the moments; a moment has the layout of its parameter, so the table that renames, splits
and reshapes weights does the same for moments.
"""

from __future__ import annotations

from typing import Any, Callable, Collection, Dict, List, Mapping, MutableMapping, NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor

from ..mismatch import Shapes, shapes

BUFFERS = ("version", "relative_position_index", "_float_tensor")
"""Last parts of the names that upstream's models save in addition to their parameters."""

GroupOf = Callable[[str, Tuple[int, ...], Collection[str]], str]
"""(parameter's name, its shape, names of optimizers) -> the optimizer that has the parameter."""
Named = Dict[str, Tensor]
"""One field of an optimizer's state, by parameter."""


class UnprovenOrderError(ValueError):
    """It is unknown which parameter a saved moment belongs to; the message says why."""


class State(NamedTuple):
    """An optimizer's state by field and parameter.

    ``moments`` have the shapes of parameters; ``counts``, such as Adam's ``step``, are one number each, expanded to
    these shapes without memory, so that they are split as their parameters are.
    """

    moments: Dict[str, Named]
    counts: Dict[str, Named]


def take_over(
    saved: Mapping[str, Any],
    weights: Mapping[str, Any],
    translate: Callable[[MutableMapping[str, Any]], None],
    held: Sequence[Shapes],
    frozen: Collection[str] = (),
    group_of: Optional[GroupOf] = None,
) -> Dict[int, Dict[str, Any]]:
    """Return the ``state`` of this run's optimizer, by position, from the ``saved`` state dict of another one.

    ``weights`` is the model's entry of the same checkpoint, in its saved order; ``translate`` converts such an entry to
    this plugin's layout in place. ``held`` names the parameters in each tensor of the optimizer, in order: one each, or
    several in a flat one. ``frozen`` parameters, by their names in ``weights``, are in no optimizer; ``group_of`` gives
    the group of a parameter if there are several. Raises UnprovenOrderError unless all names and shapes match.
    """
    order = {name: shape for name, shape in parameters(weights).items() if name not in frozen}
    state = by_group(saved, order, group_of) if group_of is not None and several(saved) else by_name(saved, order)
    known: Dict[str, Any] = {name: torch.empty(shape, device="meta") for name, shape in order.items()}
    translate(known)
    check_same(shapes(known), {name: shape for part in held for name, shape in part.items()})
    for field in (*state.moments.values(), *state.counts.values()):
        translate(field)
    taken = {position: gathered(state, part) for position, part in enumerate(held)}
    return {position: entry for position, entry in taken.items() if entry}


def parameters(weights: Mapping[str, Any]) -> Shapes:
    """Names and shapes of the parameters, in the order of the saved weights, which is the optimizer's."""
    return {name: shape for name, shape in shapes(weights).items() if name.rpartition(".")[2] not in BUFFERS}


def several(saved: Mapping[str, Any]) -> List[str]:
    """Return the names of the optimizers in the state of a composite one; empty for a single optimizer."""
    return [name for name, part in saved.items() if isinstance(part, Mapping) and "param_groups" in part]


def by_group(saved: Mapping[str, Any], order: Shapes, group_of: GroupOf) -> State:
    """Return the state of several optimizers, each in the model's ``order``, by the names of parameters."""
    names = several(saved)
    parts: Dict[str, Shapes] = {name: {} for name in names}
    for name, shape in order.items():
        group = group_of(name, shape, names)
        if group not in parts:
            raise UnprovenOrderError(f"its state has the groups {', '.join(names)}, and `{name}` is in none of them")
        parts[group][name] = shape
    state = State({}, {})
    for group, part in parts.items():
        for whole, of_group in zip(state, by_name(saved[group], part)):
            for field, named in of_group.items():
                whole.setdefault(field, {}).update(named)
    return state


def by_name(saved: Mapping[str, Any], order: Shapes) -> State:
    """Return a state that was saved by position, or as one flat vector, by the names in ``order``.

    Raises UnprovenOrderError unless there is one group whose entries match the parameters.
    """
    groups = saved.get("param_groups")
    if groups is None or len(groups) != 1:
        found = "several optimizers" if groups is None else f"{len(groups)} groups of parameters"
        raise UnprovenOrderError(f"its state has {found}, whose order is not saved")
    positions = groups[0]["params"]
    shared = {"step": groups[0]["step"]} if "step" in groups[0] else {}  # apex keeps it in the group
    entries = [{**shared, **entry} if entry else {} for entry in map(saved["state"].get, positions)]
    if len(entries) == 1 < len(order):
        entries = split(entries[0], order)
    if len(entries) != len(order):
        raise UnprovenOrderError(f"its state has {len(entries)} entries, but there are {len(order)} parameters")
    state = State({}, {})
    for (name, shape), entry in zip(order.items(), entries):
        for field, value in entry.items():
            if isinstance(value, Tensor) and value.dim() > 0:
                check_shape(field, name, tuple(value.shape), shape)
                state.moments.setdefault(field, {})[name] = value
            else:
                state.counts.setdefault(field, {})[name] = torch.as_tensor(value).expand(shape)
    return state


def split(flat: Mapping[str, Any], order: Shapes) -> List[Dict[str, Any]]:
    """Split the entry of one flat parameter into one for each parameter in it."""
    sizes = [torch.Size(shape).numel() for shape in order.values()]
    entries: List[Dict[str, Any]] = [{} for _ in order]
    for field, value in flat.items():
        parts: Sequence[Any] = [value] * len(order)
        if isinstance(value, Tensor) and value.dim() > 0:
            if value.numel() != sum(sizes):
                raise UnprovenOrderError(
                    f"`{field}` holds {value.numel():,} numbers, but the weights have {sum(sizes):,}"
                )
            parts = [part.view(shape) for part, shape in zip(value.reshape(-1).split(sizes), order.values())]
        for entry, part in zip(entries, parts):
            entry[field] = part
    return entries


def check_shape(field: str, name: str, got: Any, expected: Any) -> None:
    """Raise UnprovenOrderError for a moment that does not have its parameter's shape."""
    if got != expected:
        raise UnprovenOrderError(f"`{field}` at the position of `{name}` has shape {got}, expected {expected}")


def check_same(theirs: Shapes, ours: Shapes) -> None:
    """Raise UnprovenOrderError unless both train the same parameters."""
    different = sorted(set(theirs.items()) ^ set(ours.items()))
    if different:
        name, shape = different[0]
        owner, other = ("its model", "ours") if theirs.get(name) == shape else ("our model", "its")
        raise UnprovenOrderError(f"{owner} has a parameter `{name}` {shape}, which {other} lacks")


def gathered(state: State, part: Shapes) -> Dict[str, Any]:
    """Return the entry of one tensor of our optimizer; empty if no parameter in it ever had a gradient."""
    entry: Dict[str, Any] = {}
    for field, named in state.moments.items():
        if any(name in named for name in part):
            entry[field] = joined(named, part)
    for field, named in state.counts.items():
        values = {named[name][(0,) * named[name].dim()].item() for name in part if name in named}
        if len(values) > 1:
            raise UnprovenOrderError(f"`{field}` differs between parameters for which this optimizer keeps one number")
        if values:
            entry[field] = values.pop()
    return entry


def joined(named: Named, part: Shapes) -> Tensor:
    """Return one parameter's tensor unchanged, several as one flat vector; zero where there never was a gradient."""
    if len(part) == 1:
        return named[next(iter(part))]
    like = next(iter(named.values()))
    return torch.cat([named[n].reshape(-1) if n in named else like.new_zeros(s).reshape(-1) for n, s in part.items()])
