"""The resolvers with which a recipe keeps its batch on other GPUs than it was made for."""

import logging
from typing import Any, Dict

import pytest

from data2vec_plugin.host.launching import recipe_batch

OmegaConf = pytest.importorskip("omegaconf").OmegaConf

TORCHRUN = {"MASTER_ADDR": "localhost", "MASTER_PORT": "1", "RANK": "0"}


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing launched, nothing said yet, four GPUs."""
    for name in ("MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "RANK", "SLURM_NNODES", "SLURM_NTASKS", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)


def resolved(gpus: int = 16, freq: int = 1, cpu: bool = False, port: int = -1, **override: Any) -> Dict[str, Any]:
    config = OmegaConf.create(
        {
            "common": {"cpu": cpu},
            "distributed_training": {"distributed_world_size": f"${{gpus_here:{gpus}}}", "distributed_port": port},
            "optimization": {"update_freq": f"${{keep_batch:{gpus},{freq}}}"},
        }
    )
    config = OmegaConf.merge(config, override)
    recipe_batch.settle(config)
    plain: Dict[str, Any] = OmegaConf.to_container(config, resolve=True)
    return {
        "world": plain["distributed_training"]["distributed_world_size"],
        "freq": plain["optimization"]["update_freq"],
    }


def test_visible_gpus_share_the_batch_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert resolved(16, 1) == {"world": 4, "freq": [4]}
    assert [record.getMessage().split(" (")[0] for record in caplog.records] == ["16 GPUs × 1 → 4 GPUs × 4"]


def test_one_gpu_by_overlay(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert resolved(16, 1, distributed_training={"distributed_world_size": 1}) == {"world": 1, "freq": [16]}
    assert "16 GPUs × 1 → 1 GPU × 16" in caplog.text


def test_a_given_update_freq_counts() -> None:
    assert resolved(16, 1, optimization={"update_freq": [2]}) == {"world": 4, "freq": [2]}


def test_torchruns_processes_count(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**TORCHRUN, "WORLD_SIZE": "32"}.items():
        monkeypatch.setenv(name, value)
    assert resolved(4, 24) == {"world": 32, "freq": [3]}


@pytest.mark.parametrize(("tasks", "world"), [("16", 16), ("2", 8)])  # a task a GPU; or a node, of four GPUs
def test_slurms_processes_count(monkeypatch: pytest.MonkeyPatch, tasks: str, world: int) -> None:
    monkeypatch.setenv("SLURM_NNODES", "2")
    monkeypatch.setenv("SLURM_NTASKS", tasks)
    assert resolved(16, 1, port=29671) == {"world": world, "freq": [16 // world]}


def test_no_exact_division_offers_the_nearest_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    with pytest.raises(
        ValueError, match=r"16 GPUs × 1, which cannot be divided among 3 GPUs: train on 2 GPUs or 4 GPUs"
    ) as e:
        resolved(16, 1)
    assert "optimization.update_freq='[5]' (94 % of the batch) or optimization.update_freq='[6]' (112 %" in str(e.value)


def test_more_gpus_than_the_batch_has_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 12)
    with pytest.raises(ValueError, match=r"train on 8 GPUs \(.*or set optimization.update_freq='\[1\]' \(150 %"):
        resolved(2, 4)


def test_without_a_gpu_the_cpu_must_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(ValueError, match=r"no GPU is visible.*`\+run=cpu`"):
        resolved(16, 1)
    assert resolved(16, 1, cpu=True) == {"world": 1, "freq": [16]}


def test_values_that_are_asked_for_too_early_are_guessed() -> None:
    """omegaconf 2.0 resolves while it merges; what is not there yet must not end the composition."""
    alone = OmegaConf.create({"optimization": {"update_freq": "${keep_batch:16,2}"}})
    assert OmegaConf.to_container(alone, resolve=True) == {"optimization": {"update_freq": [2]}}
