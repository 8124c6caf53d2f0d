"""Tables of names: both directions, nothing dropped in silence."""

from __future__ import annotations

import pytest

from data2vec_plugin.interop.huggingface.rules import below, renamed, reverse, weight_and_bias

RULES = [("mask", "masked_embed"), *weight_and_bias(("layers.{}.fc1", "h.{}.ff.dense"), ("a.{}.b.{}", "{}.c.{}"))]


def test_numbers_are_carried_over() -> None:
    state = {"mask": 1, "layers.0.fc1.weight": 2, "layers.11.fc1.bias": 3, "a.4.b.5.bias": 4}
    assert renamed(state, RULES) == {
        "masked_embed": 1,
        "h.0.ff.dense.weight": 2,
        "h.11.ff.dense.bias": 3,
        "4.c.5.bias": 4,
    }


def test_the_way_back_is_the_same_table() -> None:
    state = {"mask": 1, "layers.0.fc1.weight": 2, "layers.11.fc1.bias": 3}
    assert renamed(renamed(state, RULES), reverse(RULES)) == state


def test_values_are_not_copied() -> None:
    value = object()
    assert renamed({"mask": value}, RULES)["masked_embed"] is value


def test_a_prefix_goes_before_their_names_only() -> None:
    assert renamed({"mask": 1}, below("model.", RULES)) == {"model.masked_embed": 1}


@pytest.mark.parametrize("name", ["masks", "xmask", "layers.x.fc1.weight", "layers.0.fc1", "layers.0.fc1xweight"])
def test_a_name_that_no_rule_knows_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match=f"there is no conversion rule for `{name}`$"):
        renamed({"mask": 1, name: 2}, RULES)


def test_many_unknown_names_are_counted() -> None:
    with pytest.raises(ValueError, match=r"`n0`, `n1`, `n2` and 2 more$"):
        renamed({f"n{number}": 0 for number in range(5)}, RULES)


def test_what_is_dropped_is_listed() -> None:
    assert renamed({"mask": 1, "head.3.bias": 2}, RULES, dropped=("head.{}.bias",)) == {"masked_embed": 1}


def test_two_names_never_become_one() -> None:
    with pytest.raises(ValueError, match="`b` maps to `c`, to which another weight is already mapped"):
        renamed({"a": 1, "b": 2}, [("a", "c"), ("b", "c")])
