"""fairseq's `_hydra_main` gets what is ours prepared, and what is not as it is."""

from types import SimpleNamespace
from typing import Any, List

import pytest

from data2vec_plugin.host.launching import takeover

OmegaConf = pytest.importorskip("omegaconf").OmegaConf
pytest.importorskip("fairseq")


def cfg(user_dir: Any) -> Any:
    """A recipe for GPUs, with what each of the steps would stop at or change."""
    return OmegaConf.create(
        {
            "common": {"user_dir": user_dir, "cpu": True, "fp16": True, "bf16": False},
            "distributed_training": {
                "distributed_world_size": "${gpus_here:16}",
                "distributed_port": 29_671,
                "distributed_init_method": None,
            },
            "optimization": {"update_freq": "${keep_batch:16,1}"},
            "optimizer": {"_name": "composite", "dynamic_groups": True, "groups": {}},
        }
    )


def taken_over(given: Any, **more: Any) -> List[Any]:
    seen: List[Any] = []
    module: Any = SimpleNamespace(_hydra_main=lambda *args, **kwargs: seen.append((args, kwargs)))
    takeover.look_first(module)
    module._hydra_main(given, **more)
    return seen


@pytest.mark.parametrize("user_dir", [None, "theirs", "/home/me/fairseq/examples/data2vec"])
def test_what_is_not_ours_goes_straight_to_fairseq(user_dir: Any) -> None:
    given = cfg(user_dir)
    given.optimization.no_such_key = 1
    before = OmegaConf.to_yaml(given)
    ((args, kwargs),) = taken_over(given, anything="else")
    assert args[0] is given
    assert OmegaConf.to_yaml(args[0]) == before
    assert kwargs == {"anything": "else"}


def test_what_is_ours_is_fitted_to_the_machine() -> None:
    (((given,), _),) = taken_over(cfg("data2vec_plugin"))
    training = given.distributed_training
    assert (given.common.fp16, training.distributed_port, training.distributed_world_size) == (False, -1, 1)
    assert given.optimization.update_freq == [16]
