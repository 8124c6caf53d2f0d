"""Fixtures: fresh interpreters, because a patch can be seen at work only once in each."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Callable, Optional

import pytest

RunPython = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run_python(tmp_path: Path) -> RunPython:
    """Runs code in a new interpreter, in an empty folder, as a user's shell would."""

    def run(
        code: str, *options: str, check: bool = True, cwd: Optional[Path] = None, **env: str
    ) -> "subprocess.CompletedProcess[str]":
        clean = {k: v for k, v in os.environ.items() if k not in ("DATA2VEC_COMPAT", "PYTHONPATH")}
        clean.update({"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}, **env)
        done = subprocess.run(
            [sys.executable, "-W", "ignore", *options, "-c", code],
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
