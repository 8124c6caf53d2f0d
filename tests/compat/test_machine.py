"""A recipe made for other GPUs, or for GPUs at all: what it becomes, or what its user is told."""

import logging
from types import SimpleNamespace
from typing import Any, List, Tuple

import pytest

from data2vec_compat.patches import machine, recipe_batch
from data2vec_compat.registry import PATCHES

OmegaConf = pytest.importorskip("omegaconf").OmegaConf


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "RANK", "SLURM_NNODES", "SLURM_NTASKS", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)


def recipe(gpus: Any = 16, freq: Any = (1,), cpu: bool = False, half: str = "fp16", port: int = -1) -> Any:
    training = {"distributed_world_size": gpus, "distributed_port": port, "distributed_init_method": None}
    common = {"cpu": cpu, "fp16": False, "bf16": False, **({half: True} if half else {})}
    update_freq = freq if isinstance(freq, str) else list(freq)
    return OmegaConf.create(
        {"common": common, "distributed_training": training, "optimization": {"update_freq": update_freq}}
    )


def compared(monkeypatch: pytest.MonkeyPatch, visible: int, cfg: Any) -> Any:
    monkeypatch.setattr(recipe_batch, "visible_gpus", lambda: visible)
    machine.compare(cfg)
    return cfg


@pytest.mark.parametrize("half", ["fp16", "bf16"])
def test_on_a_cpu_that_was_asked_for_it_trains_in_fp32_and_says_so(
    half: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cfg = compared(monkeypatch, 0, recipe(cpu=True, half=half))
    assert not cfg.common[half]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert f"`common.{half}` needs a GPU: training in fp32" in caplog.text


def test_without_a_gpu_the_way_to_the_cpu_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"no GPU is visible, and `common.fp16` needs one: add `common.cpu=true"):
        compared(monkeypatch, 0, recipe())


def test_processes_on_a_cpu_need_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    assert compared(monkeypatch, 0, recipe(gpus=2, half="")) == recipe(gpus=2, half="")


@pytest.mark.parametrize(
    ("visible", "gpus", "freq", "here", "same"),
    [(1, 16, 1, 1, 16), (4, 16, 1, 4, 4), (8, 24, 4, 8, 12), (5, 8, 1, 4, 2)],
)
def test_fewer_gpus_are_told_what_keeps_the_batch(
    monkeypatch: pytest.MonkeyPatch, visible: int, gpus: int, freq: int, here: int, same: int
) -> None:
    line = f"distributed_training.distributed_world_size={here} optimization.update_freq='[{same}]'"
    with pytest.raises(ValueError, match=f"is {gpus}, and {visible} GPUs? can be seen") as told:
        compared(monkeypatch, visible, recipe(gpus, [freq]))
    assert line in str(told.value)


def test_as_many_gpus_train_as_the_recipe_says(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert compared(monkeypatch, 16, recipe()) == recipe()
    assert not caplog.records


def test_processes_of_several_machines_are_not_counted_here(monkeypatch: pytest.MonkeyPatch) -> None:
    assert compared(monkeypatch, 8, recipe(port=29_500)) == recipe(port=29_500)
    for name, value in {"MASTER_ADDR": "localhost", "MASTER_PORT": "1", "RANK": "0", "WORLD_SIZE": "16"}.items():
        monkeypatch.setenv(name, value)
    assert compared(monkeypatch, 8, recipe()) == recipe()


def patched(monkeypatch: pytest.MonkeyPatch, visible: int) -> Tuple[Any, List[Any]]:
    """fairseq's function with all that is wrapped around it."""
    monkeypatch.setattr(recipe_batch, "visible_gpus", lambda: visible)
    seen: List[Any] = []
    module: Any = SimpleNamespace(_hydra_main=seen.append)
    for entry in PATCHES:
        if entry.module == "fairseq_cli.hydra_train":
            entry.apply(module)
    return module, seen


def test_our_own_recipes_are_fitted_to_the_machine_first(monkeypatch: pytest.MonkeyPatch) -> None:
    module, seen = patched(monkeypatch, 4)
    module._hydra_main(recipe("${gpus_here:16}", "${keep_batch:16,1}"))
    assert (seen[0].distributed_training.distributed_world_size, seen[0].optimization.update_freq) == (4, [4])
    module, _ = patched(monkeypatch, 0)
    with pytest.raises(ValueError, match=r"`\+run=cpu`"):
        module._hydra_main(recipe("${gpus_here:16}", "${keep_batch:16,1}"))
