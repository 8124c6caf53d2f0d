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
    """One of a process, and one of two, which fairseq starts itself: Slurm's port is for Slurm."""
    command = pretrain_command(speech_data, tmp_path, 1)
    processes = "distributed_training.distributed_world_size"
    here = ("common.cpu=true", "common.bf16=false", f"{processes}=1,2")
    # of few clips the second process would have none to validate
    small = ("dataset.disable_validation=true", "dataset.max_tokens=40000")
    folders = (f"checkpoint.save_dir='{tmp_path}/of-${{{processes}}}'", f"hydra.sweep.dir={tmp_path}")
    words = [word for word in command if not word.startswith(("+run=", "checkpoint.save_dir="))]
    slurm = ("+run=slurm", "hydra/launcher=submitit_local", "hydra.launcher.timeout_min=5")
    run([words[0], "--multirun", *words[1:], *slurm, *here, *folders, *small], cwd=tmp_path)
    for count, micro_batches in ((1, 16), (2, 8)):
        log = (tmp_path / f"of-{count}" / "train.log").read_text()
        assert f"update: {count} process{'es' * (count > 1)} × {micro_batches} micro-batches" in log
        assert '"num_updates": "1"' in log
        assert (tmp_path / f"of-{count}" / "checkpoint_last.pt").is_file()
