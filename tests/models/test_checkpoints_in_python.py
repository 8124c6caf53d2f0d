"""fairseq's own snippet for Python loads checkpoints of pictures, whatever keys they lack."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from fairseq.checkpoint_utils import load_model_ensemble_and_task

pytest.importorskip("torchvision")

from models.tiny_text import trainer_state
from models.tiny_vision import PIXELS, section, tiny_vision


def test_pictures(tmp_path: Path) -> None:
    task = {"_name": "image_pretraining", "data": "gone", "input_size": PIXELS}
    model = tiny_vision()
    assert "max_mask_patches_per_block" not in section()
    torch.save(trainer_state({"model": section(), "task": task}, model.state_dict()), tmp_path / "model.pt")
    (loaded,), _, read_by = load_model_ensemble_and_task([str(tmp_path / "model.pt")])
    weights = loaded.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items() if name != "_ema")
    assert read_by.masks.masker.config.max_patches == 196
