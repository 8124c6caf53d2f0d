"""Two processes on the CPU: they train, or they say why not; B16: no `.cuda()` under gloo."""

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

distributed_utils = pytest.importorskip("fairseq.distributed.utils")

from data2vec_compat.patches import distributed  # noqa: E402

TWO_RANKS = """
import os
from argparse import Namespace
from functools import partial
from pathlib import Path

import torch
from omegaconf import OmegaConf

from data2vec_compat.patches.distributed import _free_port
from fairseq.dataclass.configs import FairseqConfig
from fairseq.distributed import utils
from fairseq.models.distributed_fairseq_model import DistributedFairseqModel


def main(cfg):
    settings = cfg.distributed_training
    rank, group = settings.distributed_rank, utils.get_data_parallel_group()
    model = torch.nn.Linear(1, 1)
    wrapped = DistributedFairseqModel(settings, model, group, torch.device("cpu"))
    wrapped(torch.full((1, 1), float(rank))).sum().backward()
    if hasattr(wrapped, "all_reduce_grads"):
        wrapped.all_reduce_grads()
    sent = utils.broadcast_object(Namespace(x=torch.ones(1)) if rank == 0 else None, 0, group)
    ranks = [data["rank"] for data in utils.all_gather_list({"rank": rank}, group=group)]
    Path(f"rank{rank}").write_text(f"{model.weight.grad.item()} {sent.x.item()} {ranks}")
    if os.environ.get("FAILS") == str(rank):
        raise RuntimeError("this rank has failed")


def launch(ddp_backend, tcp, forked):
    if forked:
        utils.torch.multiprocessing.spawn = partial(torch.multiprocessing.start_processes, start_method="fork")
    cfg = OmegaConf.structured(FairseqConfig())
    cfg.common.cpu = True
    cfg.distributed_training.distributed_world_size = 2
    cfg.distributed_training.ddp_backend = ddp_backend
    if tcp:
        cfg.distributed_training.distributed_init_method = f"tcp://127.0.0.1:{_free_port()}"
    # as fairseq_cli.hydra_train does: its enums cannot be pickled
    plain = {**OmegaConf.to_container(cfg, enum_to_str=True), "model": None}
    utils.call_main(OmegaConf.create(plain), main)
"""


@pytest.fixture
def launch(run_python: Any, tmp_path: Path) -> Any:
    (tmp_path / "two_ranks.py").write_text(TWO_RANKS)

    def run(backend: str, tcp: bool = False, forked: bool = False, **env: str) -> "subprocess.CompletedProcess[str]":
        tested = Path(distributed.__file__).parents[2]  # not another that may be installed
        paths = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(tested)!r}]"
        code = f"{paths}; from two_ranks import launch; launch({backend!r}, {tcp}, {forked})"
        return run_python(code, check=False, imported="torch", **env)

    return run


# the mean of the gradients 0 and 1, what rank 0 has sent, both ranks' data
EXPECTED = "0.5 1.0 [0, 1]"


def test_two_ranks_work_together(launch: Any, tmp_path: Path) -> None:
    done = launch("pytorch_ddp")
    assert done.returncode == 0, done.stderr
    assert [(tmp_path / f"rank{rank}").read_text() for rank in range(2)] == [EXPECTED] * 2


def test_explicit_address_and_a_rank_that_fails(launch: Any, tmp_path: Path) -> None:
    """Stock fairseq starts no process here, and ends with exit code 0."""
    done = launch("legacy_ddp", tcp=True, forked=True, FAILS="1")
    assert [(tmp_path / f"rank{rank}").read_text() for rank in range(2)] == [EXPECTED] * 2
    assert done.returncode != 0
    assert "this rank has failed" in done.stderr


def settings(**changed: Any) -> SimpleNamespace:
    stock = {
        "distributed_world_size": 2,
        "distributed_rank": 0,
        "distributed_init_method": None,
        "distributed_backend": "nccl",
        "distributed_no_spawn": False,
        "distributed_num_procs": 1,
        "pipeline_model_parallel": False,
    }
    return SimpleNamespace(**{**stock, **changed})


def config(cpu: bool = True, **changed: Any) -> SimpleNamespace:
    common = SimpleNamespace(cpu=cpu, tpu=False)
    return SimpleNamespace(common=common, distributed_training=settings(**changed))


def torch_with(gpus: int) -> Any:
    return SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: gpus > 0))


@pytest.mark.parametrize(
    ("cfg", "gpus", "spawns"),
    [
        (config(), 0, True),
        (config(cpu=False), 0, True),
        (config(), 2, True),
        (config(cpu=False), 2, False),
        (config(distributed_world_size=1), 0, False),
        (config(distributed_no_spawn=True), 0, False),
        (config(distributed_init_method="tcp://localhost:1"), 0, True),
    ],
)
def test_spawns_on_the_cpu_only(cfg: Any, gpus: int, spawns: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_PROCID", raising=False)
    monkeypatch.delenv("RANK", raising=False)
    assert distributed._must_spawn(torch_with(gpus), cfg) is spawns


def test_leaves_torchrun_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "RANK"):
        monkeypatch.setenv(key, "1")
    assert distributed._must_spawn(torch_with(0), config()) is False


@pytest.mark.parametrize(
    ("cpu", "gpus", "torchrun", "backend"),
    [(True, 8, True, "gloo"), (False, 0, True, "gloo"), (False, 8, True, "nccl"), (True, 8, False, "nccl")],
)
def test_torchrun_on_the_cpu_talks_by_gloo(
    cpu: bool, gpus: int, torchrun: bool, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """nccl ends with "only supported with GPUs" there; one process alone needs neither."""
    for key in ("MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "RANK"):
        monkeypatch.setenv(key, "1") if torchrun else monkeypatch.delenv(key, raising=False)
    monkeypatch.delenv("SLURM_PROCID", raising=False)
    seen = []

    def call_main(cfg: Any, main: Any) -> None:
        module.torch.cuda.device_count()
        seen.append(cfg.distributed_training.distributed_backend)

    cuda = SimpleNamespace(is_available=lambda: gpus > 0, device_count=lambda: gpus)
    module = SimpleNamespace(call_main=call_main, torch=SimpleNamespace(cuda=cuda))
    assert distributed.spawn_without_devices(module) is True
    module.call_main(config(cpu=cpu, distributed_world_size=1), print)
    assert seen == [backend]


def test_fills_in_what_needs_gpus() -> None:
    filled = settings()
    distributed._prepare(filled)
    assert filled.distributed_backend == "gloo"
    assert filled.distributed_num_procs == 2
    assert filled.distributed_init_method.startswith("tcp://127.0.0.1:")


def test_second_host_is_told_about_torchrun() -> None:
    with pytest.raises(ValueError, match=r"`distributed_training.distributed_rank` is 4.*torchrun"):
        distributed._prepare(settings(distributed_rank=4))


def test_torchrun_where_fairseq_divides_by_the_number_of_gpus() -> None:
    """As fairseq's main branch does."""

    def infer(cfg: Any) -> None:
        cfg.device_id = 1 % SimpleNamespace(device_count=lambda: 0).device_count()

    module = SimpleNamespace(_infer_torch_distributed_launch_init=infer)
    assert distributed.torchrun_without_devices(module) is True
    cfg = SimpleNamespace(device_id=None, distributed_no_spawn=False)
    module._infer_torch_distributed_launch_init(cfg)
    assert (cfg.device_id, cfg.distributed_no_spawn) == (0, True)
