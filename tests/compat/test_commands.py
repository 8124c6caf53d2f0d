"""The real console scripts of stock fairseq, on data that fairseq makes up itself."""

import os
import subprocess
import sys
from pathlib import Path
from typing import List

import forks
import pytest

pytest.importorskip("fairseq")

SCRIPTS = Path(sys.executable).parent
MODEL = [
    "--task",
    "dummy_lm",
    "--arch",
    "transformer_lm",
    "--decoder-layers",
    "1",
    "--decoder-embed-dim",
    "8",
    "--decoder-ffn-embed-dim",
    "8",
    "--decoder-attention-heads",
    "2",
    "--tokens-per-sample",
    "16",
    "--dict-size",
    "20",
    "--dataset-size",
    "16",
    "--batch-size",
    "4",
    "--optimizer",
    "adam",
    "--lr",
    "0.001",
    "--cpu",
    "--num-workers",
    "0",
    "--disable-validation",
    "--save-interval-updates",
    "2",
    "--log-format",
    "json",
]


def run(command: str, arguments: List[str], folder: Path, imported: str = "") -> str:
    """What a command prints; a fork of a process that has imported torch or fairseq, or the real one."""
    script = SCRIPTS / command
    if not script.exists():
        pytest.skip(f"{command} is not beside this Python")
    words = [str(script), *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    if imported:
        done = forks.python(words, imported, folder, environment)
    else:
        done = subprocess.run(
            words, capture_output=True, text=True, cwd=folder, timeout=120, env=environment, check=False
        )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output[-3000:]
    return output


@pytest.mark.parametrize(
    ("command", "imported"),
    [
        ("fairseq-generate", "torch"),
        ("fairseq-preprocess", "torch"),
        ("fairseq-interactive", "torch"),
        ("fairseq-eval-lm", "torch"),
    ],
)
def test_help(command: str, imported: str, tmp_path: Path) -> None:
    assert "usage:" in run(command, ["--help"], tmp_path, imported)


def test_hydra_train_composes(tmp_path: Path) -> None:
    output = run("fairseq-hydra-train", ["--cfg", "job", "hydra.run.dir=."], tmp_path)
    assert "distributed_training:" in output


def test_two_processes_train_and_one_resumes(tmp_path: Path) -> None:
    """Both are started by fairseq itself, as new interpreters."""
    run("fairseq-train", [*MODEL, "--distributed-world-size", "2", "--max-update", "2"], tmp_path, "fairseq")
    resumed = run("fairseq-train", [*MODEL, "--max-update", "4"], tmp_path, "fairseq")
    assert "Loaded checkpoint" in resumed
    assert "num_updates: 4 >= max_update: 4" in resumed
