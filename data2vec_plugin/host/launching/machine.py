"""Checks the GPUs and the precision of a recipe, which fairseq does not compare with the machine.

On a CPU, fp16 then ends in "Found no NVIDIA driver" while the optimizer is built, in each of the processes that were
started; with fewer GPUs than named, an assertion gives two numbers.
"""

import logging
import os
import shutil
from typing import Any

from .recipe_batch import by_torchrun, launched, n_gpus, visible_gpus

logger = logging.getLogger(__name__)

HALVES = ("fp16", "bf16")
SLURM_NODES = ("SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST")


def settle_start(cfg: Any) -> None:
    """Resets `distributed_port` if Slurm has not started this process, so that fairseq starts one for each GPU.

    The port, set by `+run=slurm`, is enough for fairseq to assume Slurm; if Slurm's variables or its scontrol are
    missing, it then silently trains a single process, whatever the world size.

    Raises:
        ValueError: the started processes cannot find each other.
    """
    settings, tasks = cfg.distributed_training, int(os.environ.get("SUBMITIT_LOCAL_NTASKS", "1"))
    if tasks > 1 and not launched(cfg):
        raise ValueError(
            f"`hydra.launcher.tasks_per_node` is {tasks}, but tasks of submitit_local train independently: leave it "
            "at 1, and fairseq starts a process for each of `hydra.launcher.gpus_per_node`"
        )
    tasks = int(os.environ.get("SLURM_STEP_NUM_TASKS", "1"))
    if tasks > 1 and _by_slurm() and "SLURM_PROCID" in os.environ and not _are_brought_together(cfg):
        raise ValueError(
            f"Slurm has started {tasks} tasks, which would train independently into one `checkpoint.save_dir`: to "
            "train together, add `+run=slurm` (or `distributed_training.distributed_port=29671`), or start one task "
            "(`srun --ntasks 1`); to train independently, give each task its own folder and put `env -u "
            "SLURM_PROCID` before the command"
        )
    if settings.distributed_port <= 0 or settings.distributed_init_method or by_torchrun():
        return
    if not _by_slurm():
        logger.info(
            f"`distributed_training.distributed_port` {settings.distributed_port} is for Slurm, which has not started "
            "this process: all processes are started on this machine"
        )
        settings.distributed_port = -1
    elif settings.distributed_world_size > 1 and not shutil.which("scontrol"):
        raise ValueError(
            "Slurm has started this process, but its `scontrol`, by which the tasks find each other, is not on PATH: "
            "add it (in a container: mount it), or start with torchrun and `distributed_training.distributed_port=-1`"
        )


def compare(cfg: Any) -> None:
    """Switches to fp32 if the CPU was requested, and logs this; all else that a recipe requires must be available.

    Raises:
        ValueError: no GPU is visible but the recipe's precision requires one, or fewer are visible than it requires.
    """
    halves = [key for key in HALVES if cfg.common[key]]
    wanted, visible = int(cfg.distributed_training.distributed_world_size), visible_gpus()
    if cfg.common.cpu:
        for key in halves:
            logger.warning(f"`common.{key}` requires a GPU: training in fp32, because `common.cpu` is true")
            cfg.common[key] = False
    elif halves and not visible:
        raise ValueError(
            f"no GPU is visible, but `common.{halves[0]}` requires one: add `common.cpu=true "
            "distributed_training.distributed_world_size=1` to train on the CPU, or check CUDA_VISIBLE_DEVICES and "
            "`data2vec doctor`"
        )
    elif 0 < visible < wanted and _is_started_here(cfg):
        raise ValueError(_too_few(wanted, visible, int(cfg.optimization.update_freq[0])))


def _is_started_here(cfg: Any) -> bool:
    """Whether fairseq starts all processes itself, on this machine."""
    settings = cfg.distributed_training
    waits_for_slurm = settings.distributed_port > 0 and _by_slurm()
    return not (launched(cfg) or settings.distributed_init_method or waits_for_slurm)


def _are_brought_together(cfg: Any) -> bool:
    """Whether the started processes can find each other."""
    settings = cfg.distributed_training
    return bool(settings.distributed_port > 0 or settings.distributed_init_method or by_torchrun())


def _by_slurm() -> bool:
    return any(name in os.environ for name in SLURM_NODES)


def _too_few(wanted: int, visible: int, update_freq: int) -> str:
    batch = wanted * update_freq
    here = next(count for count in range(visible, 0, -1) if batch % count == 0)
    return (
        f"`distributed_training.distributed_world_size` is {wanted}, but {n_gpus(visible)} can be seen: add "
        f"`distributed_training.distributed_world_size={here} optimization.update_freq='[{batch // here}]'`, which "
        "keeps the batch size, or start the processes on several machines with torchrun or Slurm"
    )
