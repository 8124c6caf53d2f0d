"""Python programs, each in a fork of a process that has imported torch, or fairseq and the plugin too: most of a small
program's time goes to that. Where a start itself is tested, tests start the real process.

All processes of pytest share the ones that fork (`fork_server.py`).
"""

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import Any, Dict, Iterator, Mapping, Optional, Sequence

SECONDS = 300
TESTS = int(os.environ.setdefault("TESTS_PID", str(os.getpid())))
"""pytest's first process, which tells those that it starts."""


IMPORTING = {"torch": ("PYTHON",), **dict.fromkeys(("fairseq", "plugin"), ("PYTHON", "DATA2VEC_"))}
"""What of the environment decides how they are imported; our patches look when fairseq is."""
FAIRSEQS = "PYTHONWARNINGS"
"""fairseq sets it for good with its first loader that has workers."""


def importing(environment: Mapping[str, str], imported: str) -> Dict[str, str]:
    """That part of an environment."""
    names = (name for name in sorted(environment) if name.startswith(IMPORTING[imported]) and name != FAIRSEQS)
    return {name: environment[name] for name in names}


STARTED = dict(os.environ)
ALIKE = zlib.crc32(json.dumps([sys.executable, importing(STARTED, "plugin")]).encode())
SERVER = Path(tempfile.gettempdir()) / f"data2vec-tests-{TESTS}-{ALIKE:x}"
"""The folder of the process that forks, one for all that import alike."""


def can_fork(environment: Mapping[str, str], imported: str) -> bool:
    """Whether a program in this environment would import as the process that forks has."""
    return importing(environment, imported) == importing(STARTED, imported)


class Fork:
    """A running program."""

    def __init__(self, imported: str, **request: Any) -> None:
        self.connection = _connect(imported)
        self.connection.sendall(json.dumps(request).encode() + b"\n")
        self.words, self.running = request["words"], True
        self.pid = self._answer()

    def wait(self, seconds: float = SECONDS) -> int:
        """Its exit code; killed after that time."""
        if not self.ended(seconds):
            self.kill()
            raise subprocess.TimeoutExpired(self.words, seconds)
        self.running = False
        with self.connection:
            return self._answer()

    def _answer(self) -> int:
        line = b""
        while not line.endswith(b"\n"):
            byte = self.connection.recv(1)
            if not byte:
                raise ChildProcessError(f"the process that forks has ended: {(SERVER / 'errors').read_text()}")
            line += byte
        return int(line)

    def ended(self, seconds: float = 0.0) -> bool:
        return bool(select.select([self.connection], [], [], seconds)[0])

    def kill(self) -> None:
        """End it with what it has started."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)


def python(
    words: Sequence[str],
    imported: str = "fairseq",
    cwd: Optional[Path] = None,
    env: Optional[Mapping[str, str]] = None,
    file_size: Optional[int] = None,
    timeout: float = SECONDS,
) -> "subprocess.CompletedProcess[str]":
    """What `subprocess.run([sys.executable, *words])` gives, and that itself where the environment changes imports.

    Only a script or `-c`, with `-W ignore` or without; `imported`, torch, fairseq or plugin, is there already.
    """
    environment = dict(os.environ if env is None else env)
    if not can_fork(environment, imported):
        command = [sys.executable, *words]
        return subprocess.run(
            command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=timeout, check=False
        )
    with tempfile.NamedTemporaryFile("r") as out, tempfile.NamedTemporaryFile("r") as err:
        request = {"words": list(words), "cwd": str(cwd or Path.cwd()), "env": environment, "file_size": file_size}
        code = Fork(imported, **request, streams=[out.name, err.name]).wait(timeout)
        return subprocess.CompletedProcess(list(words), code, out.read(), err.read())


def _connect(name: str) -> socket.socket:
    with _alone():
        if not (SERVER / "started").exists():
            subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("fork_server.py")), str(SERVER), str(TESTS)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=(SERVER / "errors").open("w"),
                start_new_session=True,
            )
            (SERVER / "started").touch()
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        connection = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
            connection.connect(str(SERVER / name))
            return connection
        connection.close()
        if "Traceback" in (SERVER / "errors").read_text():
            break  # it ended, for a reason that it wrote there
        time.sleep(0.1)
    raise ConnectionError(f"no process forks: {(SERVER / 'errors').read_text()}")


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """No other process of pytest is here."""
    SERVER.mkdir(mode=0o700, exist_ok=True)
    with (SERVER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
