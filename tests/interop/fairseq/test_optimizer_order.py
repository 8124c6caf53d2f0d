"""Moments go where their parameters go: by position, as one flat vector, split and renamed as the weights are."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import pytest
import torch
from models.test_vision_checkpoints import upstream_keys
from models.tiny_vision import DIM, tiny_vision
from torch import Tensor

from data2vec_plugin.interop.fairseq.optimizer_order import UnprovenOrderError, parameters, take_over
from data2vec_plugin.interop.mismatch import Shapes, shapes
from data2vec_plugin.models.data2vec_vision import Data2VecVisionModel

from_upstream = Data2VecVisionModel.layout.from_upstream
HEAD = "method.predictor.weight"
Entries = Dict[int, Dict[str, Any]]


def weights() -> Dict[str, Tensor]:
    """A model of one layer as upstream saves it, index of positions included; every number is another one."""
    made, start = {}, 1
    for name, shape in upstream_keys().items():
        count = torch.Size(shape).numel()
        made[name] = torch.arange(start, start + count).float().reshape(shape)
        start += count
    return made


def saved(flat: bool) -> Dict[str, Any]:
    """Adam's state of these weights: first moments that equal them, second ones that are their negative."""
    values = [value for name, value in weights().items() if name in parameters(weights())]
    if flat:
        values = [torch.cat([value.reshape(-1) for value in values])]
    state = {i: {"step": 7, "exp_avg": value, "exp_avg_sq": -value} for i, value in enumerate(values)}
    return {"state": state, "param_groups": [{"lr": 0.1, "params": list(state)}]}


def ours() -> Tuple[Dict[str, Tensor], List[str]]:
    """The same weights in our layout, and their names in the order of our model."""
    state: Dict[str, Any] = weights()
    from_upstream(state)
    return state, [name for name, _ in tiny_vision(depth=1).named_parameters()]


def held(sizes: List[int]) -> List[Shapes]:
    """Our parameters, so many in each of an optimizer's tensors."""
    state, names = ours()
    known, parts = shapes(state), iter(names)
    return [{name: known[name] for name in (next(parts) for _ in range(size))} for size in sizes]


def taken(flat: bool, sizes: List[int], **changes: Any) -> Entries:
    return take_over({**saved(flat), **changes}, weights(), from_upstream, held(sizes))


COUNT = len(ours()[1])


@pytest.mark.parametrize("sizes", [[1] * COUNT, [COUNT], [3, COUNT - 3]], ids=["each", "flat", "stretches"])
@pytest.mark.parametrize("flat", [False, True], ids=["from_each", "from_flat"])
def test_every_number_of_every_moment_arrives(flat: bool, sizes: List[int]) -> None:
    state, _ = ours()
    entries = taken(flat, sizes)
    assert list(entries) == list(range(len(sizes)))
    for entry, part in zip(entries.values(), held(sizes)):
        expected = torch.cat([state[name].reshape(-1) for name in part])
        assert torch.equal(entry["exp_avg"].reshape(-1), expected)
        assert torch.equal(entry["exp_avg_sq"], -entry["exp_avg"])
        assert entry["step"] == 7
        assert len(part) > 1 or tuple(entry["exp_avg"].shape) == next(iter(part.values()))


def test_a_parameter_without_gradient_has_no_moment() -> None:
    state = saved(flat=False)
    place = list(parameters(weights())).index("final_proj.weight")
    del state["state"][place]
    entries = taken(False, [1] * COUNT, **state)
    assert set(range(COUNT)) - set(entries) == {ours()[1].index(HEAD)}
    flat = taken(False, [COUNT], **state)[0]["exp_avg"]
    assert int((flat == 0).sum()) == DIM * DIM  # in a flat one it is zero


def test_apex_counts_its_steps_once() -> None:
    state = saved(flat=True)
    del state["state"][0]["step"]
    state["param_groups"][0]["step"] = 9
    assert {entry["step"] for entry in taken(True, [1] * COUNT, **state).values()} == {9}


def test_a_run_that_never_stepped_has_nothing_to_take() -> None:
    assert taken(False, [1] * COUNT, state={}) == {}


def wrong_shape() -> Dict[str, Any]:
    state = saved(flat=False)
    state["state"][1]["exp_avg"] = torch.zeros(3)
    return state


def too_short() -> Dict[str, Any]:
    state = saved(flat=True)
    state["state"][0]["exp_avg"] = torch.zeros(30)
    return state


def different_steps() -> Dict[str, Any]:
    state = saved(flat=False)
    state["state"][1]["step"] = 8
    return state


@pytest.mark.parametrize(
    ("state", "sizes", "reason"),
    [
        (
            wrong_shape(),
            [1] * COUNT,
            r"`exp_avg` at the position of `mask_emb` has shape \(3,\), expected \(1, 1, 16\)",
        ),
        (too_short(), [1] * COUNT, r"`exp_avg` holds 30 numbers, but the weights have [\d,]{5}"),
        (different_steps(), [COUNT], "`step` differs between parameters"),
        ({"default": saved(flat=False)}, [COUNT], "has several optimizers"),
        (saved(flat=False), [1] * (COUNT - 1), r"its model has a parameter `.*` .*, which ours lacks"),
    ],
    ids=["shape", "flat", "steps", "composite", "parameters"],
)
def test_what_does_not_fit_is_no_proof(state: Dict[str, Any], sizes: List[int], reason: str) -> None:
    with pytest.raises(UnprovenOrderError, match=reason):
        take_over(state, weights(), from_upstream, held(sizes))
