"""The meme classifier by the real commands: a run stops and goes on to the digit, with fairseq's average of weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Tuple

import pytest
import torch
from forked_commands import run
from meme_files import write_encoders, write_memes
from models.tiny_vision import PIXELS
from speech import ROOT

from data2vec_plugin.runs.training_log import read_training_log

pytest.importorskip("torchvision")
pytestmark = pytest.mark.xdist_group("memes")

KEYS = (
    "+run=cpu",
    *(f"task.input_size={PIXELS}", "+task.symbols=true", "model.hidden=8"),
    *("optimization.max_epoch=2", "dataset.batch_size=5", "common.log_interval=1", "common.log_format=json"),
    *("checkpoint.no_epoch_checkpoints=false", "ema.store_ema=true", "ema.ema_decay=0.5", "ema.ema_fp32=true"),
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Tuple[Path, Tuple[Path, Path]]:
    folder = tmp_path_factory.mktemp("memes")
    return write_memes(folder / "data").parent, write_encoders(folder / "encoders")


def train(files: Tuple[Path, Tuple[Path, Path]], name: str, *overrides: str) -> Path:
    folder, (image, text) = files
    command = ["fairseq-hydra-train", "--config-dir", str(ROOT / "configs"), "--config-name", "meme_data2vec", *KEYS]
    paths = (f"task.data={folder / 'data'}", f"model.image_path={image}", f"model.text_path={text}")
    log = folder / f"{name}.log"
    log.write_text(run([*command, *paths, f"checkpoint.save_dir={folder / name}", *overrides], cwd=folder))
    return log


def saved(folder: Path) -> Dict[str, Any]:
    found: Dict[str, Any] = torch.load(folder / "checkpoint_last.pt", weights_only=False)
    return found


def test_a_run_stops_and_goes_on_to_the_digit(files: Tuple[Path, Tuple[Path, Path]]) -> None:
    folder = files[0]
    whole = train(files, "whole")
    halves = train(files, "halves", f"checkpoint.restore_file={folder / 'whole' / 'checkpoint1.pt'}")
    states = [saved(folder / name) for name in ("whole", "halves")]
    for part in ("model", "ema"):
        ours, theirs = (state["model"] if part == "model" else state["extra_state"]["ema"] for state in states)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(value, theirs[name]) for name, value in ours.items())
    logs = [read_training_log(log) for log in (whole, halves)]
    for metric in ("loss", "accuracy", "accuracy_smoothed", "accuracy_smoothed_best"):
        values = [log[f"valid/{metric}"].values[-1] for log in logs]
        assert values[0] == values[1], metric
