"""Fixtures: fresh interpreters, because a patch can be seen at work only once in each."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Callable, Optional

import forks
import pytest

RunPython = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run_python(tmp_path: Path) -> RunPython:
    """Runs code in a new interpreter, or one with `imported="torch"`, in an empty folder, as a user's shell would."""

    def run(
        code: str, *options: str, check: bool = True, cwd: Optional[Path] = None, imported: str = "", **env: str
    ) -> "subprocess.CompletedProcess[str]":
        kept = ("PYTHONPATH",) if imported else ()
        clean = {k: v for k, v in os.environ.items() if k in kept or k not in ("DATA2VEC_COMPAT", "PYTHONPATH")}
        clean.update({"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}, **env)
        words = ["-W", "ignore", *options, "-c", code]
        if imported:
            done = forks.python(words, imported, cwd or tmp_path, clean, timeout=120)
        else:
            done = subprocess.run(
                [sys.executable, *words],
                capture_output=True,
                text=True,
                timeout=120,
                env=clean,
                cwd=cwd or tmp_path,
                check=False,
            )
        assert not check or done.returncode == 0, done.stderr
        return done

    return run
