"""Console scripts and programs, forked from a process that has imported fairseq and the plugin (`forks.py`).

Most of a tiny run's time goes to imports. The real processes are started by tests/smoke, tests/compat/test_commands.py
and the end-to-end tests that take `run` from `speech`.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Dict, List, Optional, Sequence

import forks
import speech


def run(command: Sequence[str], expect: int = 0, cwd: Optional[Path] = None) -> str:
    """What `speech.run` does."""
    if not forks.can_fork(os.environ, "plugin"):
        return speech.run(command, expect, cwd)
    code, said = end(command, cwd)
    if code != expect:
        raise AssertionError(f"{' '.join(command)} gave {code}, expected {expect}:\n{said[-4000:]}")
    return said


def end(command: Sequence[str], cwd: Optional[Path] = None, file_size: Optional[int] = None) -> "tuple[int, str]":
    """A program's exit code and what it printed; it may write files up to a size."""
    with tempfile.NamedTemporaryFile("r") as output:
        code = start(command, output.name, cwd, file_size=file_size).wait()
        return code, output.read()


def run_two(command: Sequence[str], cwd: Optional[Path] = None) -> str:
    """Run it twice at once, as `torchrun --nproc_per_node 2` does, which ends both if one fails."""
    shared = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}
    with tempfile.NamedTemporaryFile("r") as output, ExitStack() as stack:
        ranks = []
        for rank in ("0", "1"):
            ranks.append(start(command, output.name, cwd, RANK=rank, LOCAL_RANK=rank, **shared))
            stack.callback(ranks[-1].kill)
        until = time.monotonic() + forks.SECONDS
        codes: List[int] = []
        while len(codes) < 2 and not any(codes):
            codes += [rank.wait() for rank in ranks if rank.running and rank.ended()]
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired(list(command), forks.SECONDS)
            time.sleep(0.02)
        said = output.read()
    assert codes == [0, 0], f"{' '.join(command)} gave {codes}:\n{said[-4000:]}"
    return said


def start(
    command: Sequence[str], output: str, cwd: Optional[Path], file_size: Optional[int] = None, **env: str
) -> forks.Fork:
    """Start a script, one of this environment's commands, or this Python with what follows."""
    scripts = Path(sys.executable).parent
    words = list(command[1:]) if command[0] == sys.executable else [str(scripts / command[0]), *command[1:]]
    environment: Dict[str, str] = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", **env}
    folder = str(cwd or Path.cwd())
    return forks.Fork("plugin", words=words, cwd=folder, env=environment, streams=[output, output], file_size=file_size)


def free_port() -> str:
    """A port that nobody listens at."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return str(taken.getsockname()[1])
