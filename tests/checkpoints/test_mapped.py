"""Tensors that stay in their file until they are used."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from fairseq.checkpoint_utils import load_checkpoint_to_cpu
from models.tiny_text import trainer_state

from data2vec_plugin.checkpoints.mapped import tensors_in_file

MODEL = {"model": {"_name": "m"}, "task": {"_name": "t"}}


@pytest.mark.parametrize("new", [True, False])
def test_the_same_is_read(tmp_path: Path, new: bool) -> None:
    """Also from a file as torch wrote them before 1.6, which cannot be mapped."""
    state = trainer_state(MODEL, {"a": torch.arange(5.0)})
    torch.save(state, tmp_path / "model.pt", _use_new_zipfile_serialization=new)
    with tensors_in_file():
        read = load_checkpoint_to_cpu(str(tmp_path / "model.pt"))
    assert torch.equal(read["model"]["a"], torch.arange(5.0))
    assert read["cfg"]["model"]["_name"] == "m"


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the memory of a process is read from /proc")
def test_what_is_not_used_takes_no_memory(tmp_path: Path) -> None:
    size = 64 * 2**20
    torch.save(trainer_state(MODEL, {"a": torch.ones(size // 4)}), tmp_path / "model.pt")
    before = resident()
    with tensors_in_file():
        read = load_checkpoint_to_cpu(str(tmp_path / "model.pt"))
    assert resident() - before < size / 4
    assert float(read["model"]["a"].sum()) == size // 4


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
