"""Reading any file that is given for a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from models.tiny_text import trainer_state

from data2vec_plugin.checkpoints.saved_file import identify_file, read_checkpoint


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (trainer_state({"model": {"_name": "data2vec_audio"}}, {}), "pretrained"),
        ({"model": {"blocks.0.norm1.weight": torch.ones(1), "patch_embed.proj.weight": torch.ones(1)}}, "weights"),
        ({"fc.weight": torch.ones(1)}, "weights"),
        ({"state": {}, "param_groups": []}, "optimizer"),
        ({"anything": 1}, "nothing"),
    ],
)
def test_what_torch_saved_is_identified(tmp_path: Path, content: Any, kind: str) -> None:
    torch.save(content, tmp_path / "file.pt")
    assert identify_file(tmp_path / "file.pt").kind == kind


@pytest.mark.parametrize("content", [[1, 2], torch.ones(1), "text", None])
def test_what_is_no_dictionary_is_refused(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "file.pt")
    with pytest.raises(ValueError, match=r"file\.pt: it is a saved \w+, not a checkpoint; use a checkpoint"):
        read_checkpoint(tmp_path / "file.pt")


def test_folders(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"it is a folder; use the \.pt file of a training run"):
        read_checkpoint(tmp_path)
    (tmp_path / "config.json").write_text('{"architectures": ["Data2VecAudioForCTC"], "model_type": "data2vec-audio"}')
    with pytest.raises(ValueError, match=r"a Hugging Face folder of `Data2VecAudioForCTC`; .*`data2vec convert FOLDER"):
        read_checkpoint(tmp_path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.pt does not exist; use the \.pt file of a training run"):
        read_checkpoint(tmp_path / "none.pt")
