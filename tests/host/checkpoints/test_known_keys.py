"""Keys that a fairseq does not know are dropped from checkpoints, and named; in a YAML they stay an error."""

import logging
from pathlib import Path
from typing import Any, Dict, List

import pytest
import torch
from fairseq import checkpoint_utils
from models.tiny_text import trainer_state

import data2vec_plugin  # noqa: F401  which reads checkpoints otherwise

TASK: Dict[str, Any] = {"_name": "audio_pretraining", "data": "gone", "zebra": 1, "gnu": None}
MODEL: Dict[str, Any] = {"_name": "wav2vec2", "encoder_layers": 2, "lion": 3}


def load(path: Path, cfg: Dict[str, Any], caplog: pytest.LogCaptureFixture) -> "tuple[Any, List[str]]":
    torch.save(trainer_state(cfg, {}), path)
    caplog.set_level(logging.WARNING)
    state = checkpoint_utils.load_checkpoint_to_cpu(str(path))
    return state["cfg"], [record.getMessage() for record in caplog.records if "ignored" in record.getMessage()]


def test_a_line_for_the_task_and_one_for_the_model(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cfg, lines = load(tmp_path / "a.pt", {"task": TASK, "model": MODEL}, caplog)
    start = f"checkpoint {tmp_path / 'a.pt'}: "
    assert lines == [
        f"{start}`task` is `audio_pretraining`, which does not have `zebra`, `gnu` here: ignored",
        f"{start}`model` is `wav2vec2`, which does not have `lion` here: ignored",
    ]
    assert set(cfg.task) == {"_name", "data"}
    assert set(cfg.model) == {"_name", "encoder_layers"}


def test_what_is_nested_is_named_by_its_place(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fine_tuned = {"_name": "wav2vec_ctc", "w2v_args": {"task": TASK, "model": MODEL}}
    _, lines = load(tmp_path / "b.pt", {"task": {"_name": "t"}, "model": fine_tuned}, caplog)
    assert [line.partition(": ")[2].partition(",")[0] for line in lines] == [
        "`model.w2v_args.task` is `audio_pretraining`",
        "`model.w2v_args.model` is `wav2vec2`",
    ]


def test_known_keys_and_unknown_models_are_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    known = {"task": {"_name": "audio_pretraining", "data": "x"}, "model": {"_name": "nobodys", "lion": 1}}
    cfg, lines = load(tmp_path / "c.pt", known, caplog)
    assert lines == []
    assert cfg.model.lion == 1


def test_it_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    load(tmp_path / "d.pt", {"task": TASK, "model": {}}, caplog)
    _, lines = load(tmp_path / "d.pt", {"task": TASK, "model": {}}, caplog)
    assert len(lines) == 1


def test_a_configuration_of_ones_own_stays_strict() -> None:
    from fairseq.tasks import setup_task
    from omegaconf import OmegaConf
    from omegaconf.errors import ConfigKeyError

    with pytest.raises(ConfigKeyError, match="zebra"):
        setup_task(OmegaConf.create(TASK))
