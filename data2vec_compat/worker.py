"""Starts the processes that train on the CPU.

A child unpickles this module's `run` before its arguments, which import fairseq: so the patches are active by then even
if no `.pth` file is read.
"""

import os
from types import ModuleType
from typing import Any, Dict

from data2vec_compat import install

install()


def spawn(torch: ModuleType, cfg: Any, main: Any, kwargs: Dict[str, Any]) -> None:
    """Starts one process per rank and waits; an exception in one ends all of them."""
    settings = cfg.distributed_training
    settings.distributed_rank = None  # each process gets its own
    # as torchrun does: otherwise the processes would compete for the cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    torch.multiprocessing.spawn(
        fn=run,
        args=(main, cfg, {**kwargs, "start_rank": 0}),
        nprocs=settings.distributed_world_size,
        join=True,
    )


def run(rank: int, main: Any, cfg: Any, kwargs: Dict[str, Any]) -> None:
    """Runs in each process: fairseq's own `distributed_main`."""
    from fairseq.distributed.utils import distributed_main

    distributed_main(rank, main, cfg, kwargs)
