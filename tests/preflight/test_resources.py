"""Estimates of memory, disk space and time."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from fairseq.dataclass.configs import CheckpointConfig
from omegaconf import OmegaConf

from data2vec_plugin.modalities.audio import AudioConfig, AudioEmbedder
from data2vec_plugin.preflight import resources
from data2vec_plugin.preflight.finding import WARNING, Findings


def config(**checkpoint: Any) -> Any:
    cfg = OmegaConf.create({"common": {"fp16": False, "bf16": False, "cpu": True}})
    cfg.checkpoint = OmegaConf.merge(OmegaConf.structured(CheckpointConfig), checkpoint)
    return cfg


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ({"no_epoch_checkpoints": True}, 3),
        ({"no_epoch_checkpoints": False}, 3 + 10),
        ({"no_epoch_checkpoints": False, "keep_last_epochs": 4}, 3 + 4),
        ({"no_epoch_checkpoints": True, "save_interval_updates": 100}, 3 + 5),
        ({"no_epoch_checkpoints": True, "save_interval_updates": 100, "keep_interval_updates": 1}, 3 + 1),
    ],
)
def test_checkpoints_are_counted_as_fairseq_keeps_them(settings: Any, count: int) -> None:
    assert resources.kept_checkpoints(config(**settings).checkpoint, updates=500, epochs=10.5) == count


def test_a_full_disk_is_a_warning_with_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = torch.nn.Linear(1024, 1024)
    cfg = config(save_dir=str(tmp_path / "not" / "there"), no_epoch_checkpoints=True)
    for free, found in ((2**30, 0), (2**20, 1)):
        monkeypatch.setattr("shutil.disk_usage", lambda folder, free=free: SimpleNamespace(free=free))
        findings = Findings()
        resources.check_disk(model, cfg, 500, 1, findings)
        assert len(findings.of(WARNING)) == found
    assert "up to 3 checkpoints need about 0.0 GiB" in findings.of(WARNING)[0]
    assert resources.checkpoint_bytes(model, half=False) == 3 * 4 * (1024 * 1024 + 1024)


def test_a_model_larger_than_the_memory_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "device_memory", lambda cpu: 1000)
    findings = Findings()
    resources.check_memory(torch.nn.Linear(100, 100), config(), findings)
    assert "choose a smaller model" in findings.of(WARNING)[0]
    assert findings.notes == [resources.memory_line(torch.nn.Linear(100, 100), config())]


def test_work_grows_with_channels_and_is_known_for_speech_only() -> None:
    small, large = (AudioEmbedder(AudioConfig(conv_layers=[(dim, 10, 5), (dim, 4, 4)]), 32) for dim in (16, 32))
    works = [resources.speech_work(model, 16_000) for model in (small, large)]
    assert works[1] > 2 * works[0] > 0  # type: ignore[operator]
    assert resources.speech_work(torch.nn.Linear(2, 2), 16_000) is None
    assert resources.measured_speed("cpu", half=False) > 1e6
