"""Keys by their whole names."""

from __future__ import annotations

import doctest

import pytest

from data2vec_plugin.interop.huggingface import keys as hf_keys


def test_examples() -> None:
    assert doctest.testmod(hf_keys).failed == 0


def test_another_value_is_named() -> None:
    with pytest.raises(ValueError, match=r"`model\.encoder\.layers` is 3, but theirs supports only 2"):
        hf_keys.refuse_beyond({"encoder.layers": 2}, {"encoder": {"layers": 3}}, "theirs", "model.")
