"""Which configurations are ours: those whose `user_dir` is the plugin, by name or as a folder."""

from argparse import Namespace
from typing import Any

import pytest

from data2vec_plugin.host.launching import ours

OmegaConf = pytest.importorskip("omegaconf").OmegaConf


@pytest.mark.parametrize(
    ("user_dir", "is_ours"),
    [
        ("data2vec_plugin", True),
        ("/home/me/checkout/data2vec_plugin/", True),
        ("data2vec_plugin/../other", False),
        ("data2vec", False),
        (None, False),
    ],
)
def test_by_name_or_folder_from_yaml_or_arguments(user_dir: Any, is_ours: bool) -> None:
    assert ours.is_ours(OmegaConf.create({"common": {"user_dir": user_dir}})) is is_ours
    assert ours.is_ours(Namespace(user_dir=user_dir)) is is_ours
    assert ours.is_ours(Namespace(common=Namespace(user_dir=user_dir))) is is_ours


@pytest.mark.parametrize("cfg", [{}, {"common": None}, {"common": "x"}, {"common": {"seed": 1}}, {"common": "${a.b}"}])
def test_whatever_else_somebody_composes_is_not(cfg: Any) -> None:
    assert not ours.is_ours(OmegaConf.create(cfg))
    assert not ours.is_ours(OmegaConf.create([1]))
    assert not ours.is_ours(None)


@pytest.mark.parametrize(
    ("word", "asks"),
    [
        ("common.user_dir=data2vec_plugin", True),
        ("+common.user_dir='/a b/data2vec_plugin'", True),
        ("common.user_dir=theirs", False),
        ("task.data=data2vec_plugin", False),
        ("+run=cpu", False),
    ],
)
def test_by_an_override(word: str, asks: bool) -> None:
    assert ours.asks_for_us(word) is asks


def test_a_training_is_over_when_it_fails() -> None:
    assert not ours.trains()

    def fail() -> None:
        with ours.training():
            assert ours.trains()
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        fail()
    assert not ours.trains()
