"""fairseq's console scripts, each in a fork of a process that has imported torch and fairseq: most of a tiny run's time
goes to imports. tests/smoke and tests/end_to_end/test_crashes.py start the real processes.

Run as a script it is that process: for each line of JSON on its standard input it forks, and prints the exit code.
"""

import functools
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Sequence

SECONDS = 300


def run(command: Sequence[str], expect: int = 0, cwd: "Path | None" = None) -> str:
    """What `speech.run` does, which starts what is no script of fairseq's, or is to import otherwise."""
    import speech

    program = Path(sys.executable).parent / command[0]
    if not (command[0].startswith("fairseq-") and program.exists() and _importing() == _server()[1]):
        return speech.run(command, expect, cwd)
    words = [str(program), *command[1:]]
    with tempfile.NamedTemporaryFile("r") as output:
        code = _ask(words=words, cwd=str(cwd or Path.cwd()), env=dict(os.environ), output=output.name)
        said = output.read()
    if code != expect:
        raise AssertionError(f"{' '.join(words)} gave {code}, expected {expect}:\n{said[-4000:]}")
    return said


def _importing() -> Dict[str, str]:
    """What of the environment decides how modules are imported."""
    return {name: value for name, value in os.environ.items() if name.startswith(("PYTHON", "DATA2VEC_"))}


@functools.cache
def _server() -> Any:
    """The process that forks, one for each process of tests, and what it was started with."""
    process = subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    return process, _importing()


def _ask(**request: Any) -> int:
    process, _ = _server()
    process.stdin.write(json.dumps(request) + "\n")
    process.stdin.flush()
    if not select.select([process.stdout], [], [], SECONDS)[0]:
        os.killpg(process.pid, signal.SIGKILL)
        _server.cache_clear()
        raise subprocess.TimeoutExpired(request["words"], SECONDS)
    return int(process.stdout.readline())


def _become(words: List[str], cwd: str, env: Dict[str, str], output: str) -> None:
    """Go on as a script of its own."""
    opened = os.open(output, os.O_WRONLY | os.O_APPEND)
    for stream, file in ((0, os.open(os.devnull, os.O_RDONLY)), (1, opened), (2, opened)):
        os.dup2(file, stream)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = words
    sys.path[0] = str(Path(words[0]).parent)
    runpy.run_path(words[0], run_name="__main__")


def _serve() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _become(**json.loads(line))
            return  # as any program ends, with what it has registered for its end
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    import fairseq_cli.generate
    import fairseq_cli.hydra_train
    import fairseq_cli.validate  # noqa: F401
    import torch._dynamo  # noqa: F401  # which torch imports with the first optimizer

    _serve()
