"""Keeps a recipe's batch size on a machine with another number of GPUs than it was made for.

    distributed_training: {distributed_world_size: "${gpus_here:16}"}
    optimization: {update_freq: "${keep_batch:16,1}"}

`${gpus_here:N}` becomes the number of processes that will train: torchrun's, Slurm's, or a process for each visible
GPU. `${keep_batch:N,F}` becomes the update_freq with which they process as much per update as N GPUs with F. An
override of either key on the command line is respected, since each reads the final value of the other.

omegaconf 2.0 resolves such values at every merge, long before the configuration is complete. So the resolvers guess and
raise no errors; impossible values are reported when fairseq receives the configuration (`takeover.py`).
"""

import logging
import os
import re
from types import ModuleType
from typing import Any, Callable, List, Optional, Tuple

logger = logging.getLogger(__name__)

GPUS, BATCH = "gpus_here", "keep_batch"


def register(module: ModuleType) -> bool:
    """Registers both resolvers, with either generation of omegaconf; configurations that do not name them are not
    affected."""
    for name, resolver in ((GPUS, gpus_here), (BATCH, keep_batch)):
        if hasattr(module.OmegaConf, "register_new_resolver"):
            module.OmegaConf.register_new_resolver(name, _with_root(resolver), replace=True)
        else:
            module.OmegaConf.register_resolver(name, resolver)
            # the public function of 2.0 shows a resolver its arguments, but not the configuration
            from omegaconf.basecontainer import BaseContainer

            BaseContainer._resolvers[name] = _with_key(resolver)
    return True


def settle(cfg: Any) -> None:
    """Replaces the two resolvers of a complete configuration by numbers, and logs the resulting batch.

    Raises:
        ValueError: there is no GPU, or the batch cannot be divided among the processes.
    """
    gpus = stated(cfg.distributed_training, "distributed_world_size", GPUS)
    batch = stated(cfg.optimization, "update_freq", BATCH)
    if gpus:
        if not (launched(cfg) or cfg.common.cpu or visible_gpus()):
            raise ValueError(
                f"no GPU is visible, but this recipe was made for {gpus[0]}: add `+run=cpu` to train on the CPU, or "
                "check CUDA_VISIBLE_DEVICES and `data2vec doctor`"
            )
        cfg.distributed_training.distributed_world_size = gpus_here(cfg, *gpus)
    if batch:
        (made_for, freq), here = batch, _processes(cfg, batch[0])
        if made_for * freq % here:
            raise ValueError(_no_division(made_for, freq, here))
        cfg.optimization.update_freq = keep_batch(cfg, *batch)
        if os.environ.get("RANK", "0") == "0" and os.environ.get("SLURM_PROCID", "0") == "0":
            ours = f"{n_gpus(here)} × {made_for * freq // here}"
            logger.info(f"{n_gpus(made_for)} × {freq} → {ours} (update_freq keeps the batch size)")


def stated(section: Any, key: str, resolver: str) -> Tuple[int, ...]:
    """Return the numbers given to a resolver in a recipe; empty if the value was overridden."""
    node = section._get_node(key)
    found = re.fullmatch(rf"\$\{{{resolver}:([\d, ]+)\}}", str(node._value() if node is not None else ""))
    return tuple(int(number) for number in found.group(1).split(",")) if found else ()


def gpus_here(root: Any, made_for: int) -> int:
    """The number of processes that will train here; `made_for` where that cannot be known (yet)."""
    if _find(root, "common", "cpu"):
        return launched(root) or 1
    return launched(root) or visible_gpus() or made_for


def keep_batch(root: Any, made_for: int, update_freq: int) -> List[int]:
    """The update_freq, a list as fairseq has it, that keeps the batch of `made_for` GPUs with `update_freq`."""
    return [max(made_for * update_freq // _processes(root, made_for), 1)]


def _with_root(resolver: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, _root_: Any) -> Any:
        return resolver(_root_, *(int(argument) for argument in arguments))

    return call


def _with_key(resolver: Callable[..., Any]) -> Callable[..., Any]:
    def call(root: Any, key: str) -> Any:
        return resolver(root, *(int(argument) for argument in key.split(",")))

    return call


def _processes(root: Any, made_for: int) -> int:
    return launched(root) or int(_find(root, "distributed_training", "distributed_world_size") or made_for)


def _find(root: Any, section: str, key: str) -> Any:
    """A value of a configuration that may still be in parts; None if it is not there."""
    if section not in root or root[section] is None or key not in root[section]:
        return None
    return root[section][key]


def _no_division(made_for: int, update_freq: int, here: int) -> str:
    total = made_for * update_freq
    few = [n for n in range(1, here) if total % n == 0][-1:]
    many = [n for n in range(here + 1, total + 1) if total % n == 0][:1]
    counts = " or ".join(n_gpus(n) for n in few + many)
    freqs = " or ".join(
        f"optimization.update_freq='[{freq}]' ({100 * freq * here / total:.0f} % of the batch)"
        for freq in (total // here, total // here + 1)
        if freq
    )
    return (
        f"this recipe's batch is {n_gpus(made_for)} × {update_freq}, which cannot be divided among {n_gpus(here)}: "
        f"train on {counts} (`distributed_training.distributed_world_size`), or set {freqs}"
    )


def launched(root: Any) -> Optional[int]:
    """The number of processes that torchrun or Slurm has started, or None."""
    if by_torchrun():
        return int(os.environ["WORLD_SIZE"])
    if (_find(root, "distributed_training", "distributed_port") or -1) > 0 and "SLURM_NNODES" in os.environ:
        nodes = int(os.environ["SLURM_NNODES"])
        tasks = int(os.environ.get("SLURM_NTASKS", nodes))
        # one task a node: fairseq starts a process for each GPU of the node
        return nodes * max(visible_gpus(), 1) if tasks == nodes else tasks
    return None


def by_torchrun() -> bool:
    """Whether torchrun has started this process, by the variables that fairseq looks for."""
    return all(key in os.environ for key in ("MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "RANK"))


def visible_gpus() -> int:
    """How many GPUs this process may use."""
    import torch

    return int(torch.cuda.device_count())


def n_gpus(count: int) -> str:
    """A description such as "2 GPUs"."""
    return f"{count} GPU{'' if count == 1 else 's'}"
