"""What `data2vec glue run` needs, in a folder: the fake trainer on the path, recipes, binaries, a checkpoint."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from data2vec_plugin.cli.main import main
from data2vec_plugin.glue import launch
from data2vec_plugin.glue.tasks import TASKS

FAKE = Path(__file__).with_name("fake_trainer.py")


class Place:
    """The folder, and the command with its paths."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.out = root, root / "out"
        program = root / "bin" / "fairseq-hydra-train"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S -E "{FAKE}" "$@"\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=":")
        monkeypatch.setattr(launch, "POLL_SECONDS", 0.02)
        (root / "configs").mkdir()
        for name in TASKS:
            (root / "configs" / f"glue_{name}.yaml").touch()
            (root / "glue-bin" / name / "input0").mkdir(parents=True)
            (root / "glue-bin" / name / "input0" / "dict.txt").touch()
        (root / "checkpoint.pt").touch()

    def words(self, *options: str) -> list[str]:
        """The whole command line of `data2vec glue run`."""
        paths = ("--checkpoint", str(self.root / "checkpoint.pt"), "--config-dir", str(self.root / "configs"))
        return ["glue", "run", str(self.root / "glue-bin"), *paths, "--out", str(self.out), *options]

    def run(self, *options: str) -> int:
        """Its exit code."""
        return main(self.words(*options))

    def log(self, task: str, seed: int) -> str:
        """What a run has printed."""
        return (self.out / task / f"seed{seed}" / "console.log").read_text()
