"""A recipe says for how many GPUs it was made; on another machine its batch stays what it was.

    distributed_training: {distributed_world_size: "${gpus_here:16}"}
    optimization: {update_freq: ["${keep_batch:16,1}"]}

`${gpus_here:N}` becomes the number of processes that will train: torchrun's, Slurm's, or a process for each visible
GPU. `${keep_batch:N,F}` becomes the update_freq with which they see as much in an update as N GPUs with F. An override
of either key on the command line counts, since the one reads what has become of the other.
"""

import logging
import os
from types import ModuleType
from typing import Any, Callable, List, Optional

from data2vec_compat.registry import patch

logger = logging.getLogger(__name__)

_said: List[str] = []


@patch(
    "recipe batch",
    "omegaconf",
    why="recipes fit update_freq to the GPUs that are there: resolvers known before hydra composes",
)
def register(module: ModuleType) -> bool:
    """Registers both resolvers, with either generation of omegaconf."""
    for name, resolver in (("gpus_here", gpus_here), ("keep_batch", keep_batch)):
        if hasattr(module.OmegaConf, "register_new_resolver"):
            module.OmegaConf.register_new_resolver(name, _with_root(resolver), replace=True)
        else:
            module.OmegaConf.register_resolver(name, resolver)
            # the public function of 2.0 shows a resolver its arguments, but not the configuration
            from omegaconf.basecontainer import BaseContainer

            BaseContainer._resolvers[name] = _with_key(resolver)
    return True


def _with_root(resolver: Callable[..., int]) -> Callable[..., int]:
    def call(*arguments: Any, _root_: Any) -> int:
        return resolver(_root_, *(int(argument) for argument in arguments))

    return call


def _with_key(resolver: Callable[..., int]) -> Callable[..., int]:
    def call(root: Any, key: str) -> int:
        return resolver(root, *(int(argument) for argument in key.split(",")))

    return call


def gpus_here(root: Any, made_for: int) -> int:
    """The number of processes that will train here.

    Raises:
        ValueError: there is no GPU, and the CPU was not asked for.
    """
    launched = _launched(root)
    if launched is not None:
        return launched
    if root.common.cpu:
        return 1
    visible = _visible_gpus()
    if visible == 0:
        raise ValueError(
            f"no GPU is visible, and this recipe was made for {made_for}: "
            "add `+run=cpu` to train on the CPU, or look at CUDA_VISIBLE_DEVICES and `data2vec doctor`"
        )
    return visible


def keep_batch(root: Any, made_for: int, update_freq: int) -> int:
    """The update_freq that keeps the batch of `made_for` GPUs with `update_freq`.

    Raises:
        ValueError: the batch cannot be divided over the processes that are here.
    """
    here = _launched(root) or int(root.distributed_training.distributed_world_size)
    total = made_for * update_freq
    if total % here:
        raise ValueError(_no_division(made_for, update_freq, here))
    _say_once(f"{_gpus(made_for)} × {update_freq} → {_gpus(here)} × {total // here} (update_freq keeps the batch)")
    return total // here


def _no_division(made_for: int, update_freq: int, here: int) -> str:
    total = made_for * update_freq
    few = [n for n in range(1, here) if total % n == 0][-1:]
    many = [n for n in range(here + 1, total + 1) if total % n == 0][:1]
    counts = " or ".join(_gpus(n) for n in few + many)
    freqs = " or ".join(
        f"optimization.update_freq='[{freq}]' ({100 * freq * here / total:.0f} % of the batch)"
        for freq in (total // here, total // here + 1)
        if freq
    )
    return (
        f"this recipe's batch is {_gpus(made_for)} × {update_freq}, which {_gpus(here)} cannot share out: "
        f"train on {counts} (`distributed_training.distributed_world_size`), or set {freqs}"
    )


def _launched(root: Any) -> Optional[int]:
    """The number of processes that torchrun or Slurm has started, or None."""
    if all(key in os.environ for key in ("MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "RANK")):
        return int(os.environ["WORLD_SIZE"])
    if root.distributed_training.distributed_port > 0 and "SLURM_NNODES" in os.environ:
        nodes = int(os.environ["SLURM_NNODES"])
        tasks = int(os.environ.get("SLURM_NTASKS", nodes))
        # one task a node: fairseq starts a process for each GPU of the node
        return nodes * max(_visible_gpus(), 1) if tasks == nodes else tasks
    return None


def _visible_gpus() -> int:
    import torch

    return int(torch.cuda.device_count())


def _gpus(count: int) -> str:
    return f"{count} GPU{'' if count == 1 else 's'}"


def _say_once(message: str) -> None:
    """Logs on the first rank only, and once however often the configuration is read."""
    if message not in _said and os.environ.get("RANK", "0") == "0" and os.environ.get("SLURM_PROCID", "0") == "0":
        _said.append(message)
        logger.info(message)
