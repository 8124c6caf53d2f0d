"""data2vec 2.0 for upstream's own code: its keys, its names of today, nothing of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

import pytest
import torch
from convert.made import refused
from features.made import speech_checkpoint
from parity.cases import HERE

from data2vec_plugin.checkpoints.encoder_checkpoint import build_encoder, open_checkpoint
from data2vec_plugin.checkpoints.for_upstream import to_upstream
from data2vec_plugin.cli.main import main

OFFICIAL = {name: HERE / f"official_style_v2_{name}" / "checkpoint.pt" for name in ("audio", "image", "text")}


def loaded(path: Path) -> Dict[str, Any]:
    state: Dict[str, Any] = torch.load(path, map_location="cpu", weights_only=False)
    return state


@pytest.mark.parametrize("name", list(OFFICIAL))
def test_there_and_back(name: str, tmp_path: Path) -> None:
    """What upstream has written, taken in by ours, is given out again as it was."""
    theirs = loaded(OFFICIAL[name])
    ours = tmp_path / "ours.pt"
    checkpoint = open_checkpoint(OFFICIAL[name])
    dictionary = [None] * len(next((v for k, v in theirs["model"].items() if k.endswith("embed_tokens.weight")), []))
    model = build_encoder(checkpoint, False, Symbols(len(dictionary)))
    model.set_num_updates(0)
    model.method.restore_teacher(None)
    state = {
        **theirs,
        "model": {**model.state_dict(), "_ema": {**theirs["model"]["_ema"], "_num_updates": torch.tensor(2)}},
    }
    state["cfg"]["model"] = {**state["cfg"]["model"], "reference_compat": False, "target_signal": None}
    torch.save(state, ours)
    assert main(["convert", str(ours), "--to", "fairseq", "--out", str(tmp_path / "out.pt")]) == 0
    found = loaded(tmp_path / "out.pt")
    assert not {"reference_compat", "target_signal"} & set(found["cfg"]["model"])
    assert set(found["model"]) == set(theirs["model"])
    assert set(found["model"]["_ema"]) == set(theirs["model"]["_ema"])
    for key, value in theirs["model"].items():
        if key != "_ema":
            assert torch.equal(found["model"][key], value.float()), key
    for key, value in theirs["model"]["_ema"].items():
        assert torch.equal(found["model"]["_ema"][key], value), key
    assert found["last_optimizer_state"] is None


class Symbols:
    """A dictionary of so many."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def pad(self) -> int:
        return 1


def test_tasks_of_ours_get_upstreams_names(tmp_path: Path) -> None:
    state = loaded(OFFICIAL["audio"])
    state["cfg"]["task"].update(_name="data2vec_audio_pretraining", bad_audio_limit=3)
    torch.save(state, tmp_path / "ours.pt")
    to_upstream(tmp_path / "ours.pt", tmp_path / "out.pt")
    task = loaded(tmp_path / "out.pt")["cfg"]["task"]
    assert task["_name"] == "audio_pretraining"
    assert "bad_audio_limit" not in task
    assert task["normalize"] is True


def test_targets_that_upstream_has_not_are_refused(tmp_path: Path) -> None:
    state = loaded(OFFICIAL["audio"])
    state["cfg"]["model"]["target_signal"] = "attention"
    torch.save(state, tmp_path / "ours.pt")
    with pytest.raises(ValueError, match=r"`model\.target_signal: attention`, which upstream does not support"):
        to_upstream(tmp_path / "ours.pt", tmp_path / "out.pt")


def test_hugging_face_has_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(OFFICIAL["image"], tmp_path / "out") == 1
    assert "(data2vec 2.0), which Hugging Face has no model for" in capsys.readouterr().err


def test_version_1_needs_no_conversion(tmp_path: Path) -> None:
    speech_checkpoint(tmp_path / "model.pt")
    with pytest.raises(ValueError, match=r"of model `data2vec_audio`, .* converts checkpoints of `data2vec_multi`"):
        to_upstream(tmp_path / "model.pt", tmp_path / "out.pt")
