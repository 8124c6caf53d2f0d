"""Several processes on a machine without GPUs, which stock fairseq does not support.

DistributedDataParallel gets a device number that does not exist, two processes are refused, and with an explicit init
method none is started: the command then ends with exit code 0 without training.
"""

import functools
import logging
import os
import socket
from types import ModuleType
from typing import Any

from data2vec_compat.registry import patch

logger = logging.getLogger(__name__)

TORCHRUN = ("MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "RANK")
"""The environment variables that fairseq reads."""


@patch(
    "DDP on CPU",
    "fairseq.models.distributed_fairseq_model",
    why="fairseq passes `device_ids` for a model on the CPU, which torch refuses",
)
def ddp_without_devices(module: ModuleType) -> bool:
    """Leaves `device_ids` out if the model is on the CPU."""
    stock = module.DistributedDataParallel

    @functools.wraps(stock, updated=())
    def wrap(*args: Any, **kwargs: Any) -> Any:
        model = kwargs["module"] if "module" in kwargs else args[0]
        if all(parameter.device.type == "cpu" for parameter in model.parameters()):
            kwargs.pop("device_ids", None)
            kwargs.pop("output_device", None)
        return stock(*args, **kwargs)

    module.DistributedDataParallel = wrap  # type: ignore[attr-defined]
    return True


@patch(
    "spawn on CPU",
    "fairseq.distributed.utils",
    why="distributed_world_size=2 without GPUs: refused, or exit code 0 without training; torchrun there: nccl's error",
)
def spawn_without_devices(module: ModuleType) -> bool:
    """Wraps `call_main`: on the CPU, one process per rank, with gloo however they are started; otherwise as in
    fairseq."""
    stock = module.call_main
    if "device_count" not in stock.__code__.co_names:
        return False

    @functools.wraps(stock)
    def call_main(cfg: Any, main: Any, **kwargs: Any) -> Any:
        if _must_spawn(module.torch, cfg):
            from data2vec_compat.worker import spawn

            _prepare(cfg.distributed_training)
            return spawn(module.torch, cfg, main, kwargs)
        if _on_cpu(module.torch, cfg) and _started_by_others():
            _without_nccl(cfg.distributed_training)
        return stock(cfg, main, **kwargs)

    module.call_main = call_main  # type: ignore[attr-defined]
    return True


@patch(
    "torchrun on CPU",
    "fairseq.distributed.utils",
    why="fairseq's main branch divides by the number of GPUs",
)
def torchrun_without_devices(module: ModuleType) -> bool:
    """Gives each torchrun worker device 0 if there are no GPUs to count."""
    stock = module._infer_torch_distributed_launch_init
    if "device_count" not in stock.__code__.co_names:
        return False

    @functools.wraps(stock)
    def infer(cfg: Any) -> None:
        try:
            stock(cfg)
        except ZeroDivisionError:
            cfg.device_id = 0
            cfg.distributed_no_spawn = True

    module._infer_torch_distributed_launch_init = infer  # type: ignore[attr-defined]
    return True


@patch(
    "gather on CPU",
    "fairseq.distributed.utils",
    why="all_gather_list allocates its buffers on a GPU whatever the backend",
)
def gather_without_devices(module: ModuleType) -> bool:
    """Puts the two buffers of `all_gather_list` on the CPU if there is no GPU."""
    stock, torch = module.all_gather_list, module.torch
    if "pin_memory" not in stock.__code__.co_names:
        return False

    @functools.wraps(stock)
    def all_gather_list(data: Any, group: Any = None, max_size: int = 16384) -> Any:
        if not torch.cuda.is_available():
            where = module.get_global_group() if group is None else group
            # the stock function looks up its buffers under its own name, which is now this function
            size = max_size * module.get_world_size(group=where)
            all_gather_list._buffer = torch.ByteTensor(size)  # type: ignore[attr-defined]
            all_gather_list._cpu_buffer = torch.ByteTensor(max_size)  # type: ignore[attr-defined]
        return stock(data, group=group, max_size=max_size)

    module.all_gather_list = all_gather_list  # type: ignore[attr-defined]
    return True


def _must_spawn(torch: ModuleType, cfg: Any) -> bool:
    settings = cfg.distributed_training
    if not _on_cpu(torch, cfg) or settings.distributed_world_size < 2:
        return False
    if settings.distributed_no_spawn or settings.pipeline_model_parallel:
        return False
    if settings.distributed_init_method is not None:
        return True
    return not _started_by_others()


def _on_cpu(torch: ModuleType, cfg: Any) -> bool:
    return bool(cfg.common.cpu or not torch.cuda.is_available()) and not cfg.common.tpu


def _started_by_others() -> bool:
    return all(name in os.environ for name in TORCHRUN) or "SLURM_PROCID" in os.environ


def _without_nccl(settings: Any) -> None:
    if settings.distributed_backend == "nccl":
        logger.info("distributed_backend=gloo, because nccl needs GPUs")
        settings.distributed_backend = "gloo"


def _prepare(settings: Any) -> None:
    """Fills in the settings that fairseq derives from the number of GPUs.

    Raises:
        ValueError: this is not the first of several hosts.
    """
    if settings.distributed_rank:
        raise ValueError(
            f"`distributed_training.distributed_rank` is {settings.distributed_rank}: on the CPU all processes are "
            "started on one host, from rank 0; for several hosts, use torchrun"
        )
    if settings.distributed_init_method is None:
        settings.distributed_init_method = f"tcp://127.0.0.1:{_free_port()}"
    _without_nccl(settings)
    settings.distributed_num_procs = settings.distributed_world_size
    logger.info("starting %d processes on the CPU", settings.distributed_world_size)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port
