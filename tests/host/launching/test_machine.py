"""A recipe made for other GPUs, or for GPUs at all: what it becomes, or what its user is told."""

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, List, Tuple

import pytest

from data2vec_plugin.host.launching import machine, takeover

OmegaConf = pytest.importorskip("omegaconf").OmegaConf


TORCHRUN = {"MASTER_ADDR": "localhost", "MASTER_PORT": "1", "RANK": "0", "WORLD_SIZE": "16"}
SLURM = {"SLURM_NNODES": "2", "SLURM_NTASKS": "16", "SLURM_PROCID": "0", "SLURM_JOB_NODELIST": "node[1-2]"}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*TORCHRUN, *SLURM, "SLURM_STEP_NODELIST", "SLURM_STEP_NUM_TASKS", "SUBMITIT_LOCAL_NTASKS"):
        monkeypatch.delenv(name, raising=False)


def started_by(monkeypatch: pytest.MonkeyPatch, variables: Dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def recipe(gpus: Any = 16, freq: Any = (1,), cpu: bool = False, half: str = "fp16", port: int = -1) -> Any:
    training = {"distributed_world_size": gpus, "distributed_port": port, "distributed_init_method": None}
    common = {"user_dir": "data2vec_plugin", "cpu": cpu, "fp16": False, "bf16": False, **({half: True} if half else {})}
    update_freq = freq if isinstance(freq, str) else list(freq)
    return OmegaConf.create(
        {"common": common, "distributed_training": training, "optimization": {"update_freq": update_freq}}
    )


def compared(monkeypatch: pytest.MonkeyPatch, visible: int, cfg: Any) -> Any:
    monkeypatch.setattr("torch.cuda.device_count", lambda: visible)
    machine.compare(cfg)
    return cfg


@pytest.mark.parametrize("half", ["fp16", "bf16"])
def test_on_a_cpu_that_was_asked_for_it_trains_in_fp32_and_says_so(
    half: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cfg = compared(monkeypatch, 0, recipe(cpu=True, half=half))
    assert not cfg.common[half]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert f"`common.{half}` requires a GPU: training in fp32" in caplog.text


def test_without_a_gpu_the_way_to_the_cpu_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"no GPU is visible, but `common.fp16` requires one: add `common.cpu=true"):
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
    with pytest.raises(ValueError, match=f"is {gpus}, but {visible} GPUs? can be seen") as told:
        compared(monkeypatch, visible, recipe(gpus, [freq]))
    assert line in str(told.value)


def test_as_many_gpus_train_as_the_recipe_says(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert compared(monkeypatch, 16, recipe()) == recipe()
    assert not caplog.records


def test_processes_of_several_machines_are_not_counted_here(monkeypatch: pytest.MonkeyPatch) -> None:
    started_by(monkeypatch, {"SLURM_JOB_NODELIST": "node[1-2]"})
    assert compared(monkeypatch, 8, recipe(port=29_500)) == recipe(port=29_500)
    started_by(monkeypatch, TORCHRUN)
    assert compared(monkeypatch, 8, recipe()) == recipe()


def test_a_port_alone_is_not_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"is 16, but 8 GPUs can be seen"):
        compared(monkeypatch, 8, recipe(port=29_500))


def patched(monkeypatch: pytest.MonkeyPatch, visible: int) -> Tuple[Any, List[Any]]:
    """fairseq's function with ours around it."""
    monkeypatch.setattr("torch.cuda.device_count", lambda: visible)
    seen: List[Any] = []
    module: Any = SimpleNamespace(_hydra_main=seen.append)
    takeover.look_first(module)
    return module, seen


def test_our_own_recipes_are_fitted_to_the_machine_first(monkeypatch: pytest.MonkeyPatch) -> None:
    module, seen = patched(monkeypatch, 4)
    module._hydra_main(recipe("${gpus_here:16}", "${keep_batch:16,1}"))
    assert (seen[0].distributed_training.distributed_world_size, seen[0].optimization.update_freq) == (4, [4])
    module, _ = patched(monkeypatch, 0)
    with pytest.raises(ValueError, match=r"`\+run=cpu`"):
        module._hydra_main(recipe("${gpus_here:16}", "${keep_batch:16,1}"))


def test_the_overlay_for_slurm_outside_slurm_starts_a_process_for_each_gpu(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With the port fairseq would train one process, on an eighth of the batch, without a word."""
    caplog.set_level(logging.INFO)
    module, seen = patched(monkeypatch, 8)
    module._hydra_main(recipe("${gpus_here:16}", "${keep_batch:16,1}", port=29_671))
    settings = seen[0].distributed_training
    assert (settings.distributed_port, settings.distributed_world_size) == (-1, 8)
    assert seen[0].optimization.update_freq == [2]
    assert (
        "`distributed_training.distributed_port` 29671 is for Slurm, which has not started this process" in caplog.text
    )


def test_under_slurm_and_with_an_address_the_port_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    addressed = recipe(port=29_671)
    addressed.distributed_training.distributed_init_method = "tcp://node1:29671"
    machine.settle_start(addressed)
    assert addressed.distributed_training.distributed_port == 29_671
    (tmp_path / "scontrol").touch(mode=0o755)
    started_by(monkeypatch, {**SLURM, "PATH": str(tmp_path)})
    cfg = recipe(port=29_671)
    machine.settle_start(cfg)
    assert cfg.distributed_training.distributed_port == 29_671


def test_slurm_without_scontrol_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """fairseq passes over it, and each task trains alone."""
    started_by(monkeypatch, {**SLURM, "PATH": str(tmp_path)})
    with pytest.raises(ValueError, match=r"`scontrol`.* is not on PATH.* or start with torchrun"):
        machine.settle_start(recipe(port=29_671))
    machine.settle_start(recipe(gpus=1, port=29_671))


def test_tasks_of_a_local_launcher_do_not_find_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBMITIT_LOCAL_NTASKS", "8")
    with pytest.raises(ValueError, match=r"`hydra\.launcher\.tasks_per_node` is 8, .* leave it at 1"):
        machine.settle_start(recipe(port=29_671))
    started_by(monkeypatch, TORCHRUN)
    machine.settle_start(recipe(port=29_671))


STEP = {"SLURM_STEP_NODELIST": "node1", "SLURM_NTASKS": "2", "SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "2"}


def test_tasks_of_slurm_that_nothing_brings_together_are_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    started_by(monkeypatch, STEP)
    module, seen = patched(monkeypatch, 2)
    with pytest.raises(
        ValueError, match=r"started 2 tasks, which would train independently .*, add `\+run=slurm` \(or"
    ):
        module._hydra_main(recipe("${gpus_here:16}", "${keep_batch:16,1}"))
    assert not seen


@pytest.mark.parametrize("variables", [{**STEP, **TORCHRUN}, {**STEP, "SLURM_STEP_NUM_TASKS": "1"}, SLURM])
def test_one_task_of_slurm_and_its_shells_start_processes_as_ever(
    variables: Dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`srun --ntasks 1`, a batch script or `salloc` of many tasks, and torchrun in each task."""
    started_by(monkeypatch, variables)
    machine.settle_start(recipe())


def test_tasks_of_slurm_that_want_it_so_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    started_by(monkeypatch, STEP)
    with monkeypatch.context() as alone:
        alone.delenv("SLURM_PROCID")  # what the message offers
        machine.settle_start(recipe())
    addressed = recipe()
    addressed.distributed_training.distributed_init_method = "tcp://node1:29671"
    machine.settle_start(addressed)
