"""A recipe names the GPUs and the precision that it was run with; fairseq takes them at their word on any machine.

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
    """Takes `distributed_port` back where Slurm has not started this process, so that fairseq starts one for each GPU.

    The port, which `+run=slurm` sets, alone makes fairseq believe in Slurm; where Slurm's variables or its scontrol are
    missing it then trains a single process without a word, whatever the world size.

    Raises:
        ValueError: processes were started that could not find each other.
    """
    settings, tasks = cfg.distributed_training, int(os.environ.get("SUBMITIT_LOCAL_NTASKS", "1"))
    if tasks > 1 and not launched(cfg):
        raise ValueError(
            f"`hydra.launcher.tasks_per_node` is {tasks}, and tasks of submitit_local would each train alone: "
            f"leave it at 1, and fairseq starts a process for each of `hydra.launcher.gpus_per_node`"
        )
    tasks = int(os.environ.get("SLURM_STEP_NUM_TASKS", "1"))
    if tasks > 1 and _by_slurm() and "SLURM_PROCID" in os.environ and not _are_brought_together(cfg):
        raise ValueError(
            f"Slurm has started {tasks} tasks, which would each train alone, into one `checkpoint.save_dir`: add "
            f"`+run=slurm` (or `distributed_training.distributed_port=29671`), by which they train together, or start "
            f"one task (`srun --ntasks 1`); tasks that are to train alone want folders of their own, and "
            f"`env -u SLURM_PROCID` before the command"
        )
    if settings.distributed_port <= 0 or settings.distributed_init_method or by_torchrun():
        return
    if not _by_slurm():
        logger.info(
            f"`distributed_training.distributed_port` {settings.distributed_port} is for Slurm, which has not started "
            f"this process: all processes start here"
        )
        settings.distributed_port = -1
    elif settings.distributed_world_size > 1 and not shutil.which("scontrol"):
        raise ValueError(
            "Slurm has started this process, but its `scontrol`, by which the tasks find each other, is not on PATH: "
            "add it (in a container: mount it), or start with torchrun and `distributed_training.distributed_port=-1`"
        )


def compare(cfg: Any) -> None:
    """Trains in fp32 where a CPU was asked for, and says so; whatever else a recipe wants must be there.

    Raises:
        ValueError: the recipe wants GPUs, or more of them than there are.
    """
    halves = [key for key in HALVES if cfg.common[key]]
    wanted, visible = int(cfg.distributed_training.distributed_world_size), visible_gpus()
    if cfg.common.cpu:
        for key in halves:
            logger.warning(f"`common.{key}` needs a GPU: training in fp32, because `common.cpu` is true")
            cfg.common[key] = False
    elif halves and not visible:
        raise ValueError(
            f"no GPU is visible, and `common.{halves[0]}` needs one: add `common.cpu=true "
            f"distributed_training.distributed_world_size=1` to train on the CPU, or look at CUDA_VISIBLE_DEVICES and "
            f"`data2vec doctor`"
        )
    elif 0 < visible < wanted and _is_started_here(cfg):
        raise ValueError(_too_few(wanted, visible, int(cfg.optimization.update_freq[0])))


def _is_started_here(cfg: Any) -> bool:
    """Whether fairseq starts all processes itself, on this machine."""
    settings = cfg.distributed_training
    waits_for_slurm = settings.distributed_port > 0 and _by_slurm()
    return not (launched(cfg) or settings.distributed_init_method or waits_for_slurm)


def _are_brought_together(cfg: Any) -> bool:
    """Whether anything tells the processes that were started of each other."""
    settings = cfg.distributed_training
    return bool(settings.distributed_port > 0 or settings.distributed_init_method or by_torchrun())


def _by_slurm() -> bool:
    return any(name in os.environ for name in SLURM_NODES)


def _too_few(wanted: int, visible: int, update_freq: int) -> str:
    batch = wanted * update_freq
    here = next(count for count in range(visible, 0, -1) if batch % count == 0)
    return (
        f"`distributed_training.distributed_world_size` is {wanted}, and {n_gpus(visible)} can be seen: "
        f"add `distributed_training.distributed_world_size={here} optimization.update_freq='[{batch // here}]'`, which "
        f"keeps the batch, or start the processes on several machines with torchrun or Slurm"
    )
