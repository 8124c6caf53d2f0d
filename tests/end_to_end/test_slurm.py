"""`+run=slurm` through hydra's submitit launcher, on this machine instead of a cluster."""

import sys
from pathlib import Path

import pytest
from end_to_end_commands import pretrain_command
from forked_commands import run

pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
pytestmark = [
    pytest.mark.xdist_group("processes"),
    pytest.mark.skipif(sys.version_info < (3, 10), reason="submitit does not start on Python 3.9"),
]


def test_jobs_are_submitted_run_and_kept_apart(speech_data: Path, tmp_path: Path) -> None:
    """Each of two processes, which fairseq starts itself: Slurm's port is for Slurm."""
    command = pretrain_command(speech_data, tmp_path, 1)
    here = ("common.cpu=true", "common.bf16=false", "distributed_training.distributed_world_size=2")
    # of few clips the second process would have none to validate
    small = ("dataset.disable_validation=true", "dataset.max_tokens=40000")
    folders = (
        "optimization.lr=[0.0005],[0.001]",
        f"checkpoint.save_dir='{tmp_path}/lr-${{optimization.lr.0}}'",
        f"hydra.sweep.dir={tmp_path}",
    )
    words = [word for word in command if not word.startswith(("+run=", "checkpoint.save_dir="))]
    slurm = ("+run=slurm", "hydra/launcher=submitit_local", "hydra.launcher.timeout_min=5")
    run([words[0], "--multirun", *words[1:], *slurm, *here, *folders, *small], cwd=tmp_path)
    for rate in ("0.0005", "0.001"):
        log = (tmp_path / f"lr-{rate}" / "train.log").read_text()
        assert "update: 2 processes × 8 micro-batches" in log
        assert '"num_updates": "1"' in log
        assert (tmp_path / f"lr-{rate}" / "checkpoint_last.pt").is_file()
