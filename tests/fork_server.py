"""Forks Python programs from a process that has imported torch, from one with fairseq too, and one with the plugin too.

    python fork_server.py FOLDER PID

listens at FOLDER/torch, FOLDER/fairseq and FOLDER/plugin until process PID has ended. A request is a line of JSON, the
arguments of `become`; the answers are the program's process id and, once it has ended, its exit code, a line each.
"""

import atexit
import gc
import json
import os
import resource
import select
import shutil
import signal
import socket
import sys
import warnings
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, List, Optional, Sequence

HEAVY = {
    "torch": ("numpy", "torch"),
    # torch imports _dynamo with the first optimizer
    "fairseq": ("fairseq_cli.generate", "fairseq_cli.hydra_train", "fairseq_cli.validate", "torch._dynamo"),
    "plugin": ("data2vec_plugin", "data2vec_plugin.cli.main"),
}
EXTRAS = ("soundfile", "torchvision.transforms.v2", "tensorboardX", "hydra._internal.hydra")
"""What many of fairseq's commands go on to import."""


def become(words: List[str], cwd: str, env: Dict[str, str], streams: List[str], file_size: Optional[int]) -> None:
    """Go on as `python WORDS`, a script or `-c CODE` with arguments, in a group of its own."""
    os.setsid()
    for number, path in enumerate([os.devnull, *streams]):
        os.dup2(os.open(path, os.O_RDWR | os.O_APPEND), number)
    atexit.register(silence)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    if file_size is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
    program = sys.modules["__main__"] = ModuleType("__main__")
    if words[:2] == ["-W", "ignore"]:
        warnings.simplefilter("ignore")
        words = words[2:]
    if words[0] == "-c":
        source, name, sys.path[0] = words.pop(1), "<string>", ""
    else:
        source, name, sys.path[0] = Path(words[0]).read_text("utf-8"), words[0], str(Path(words[0]).parent)
        program.__file__ = name
    sys.argv = words
    exec(compile(source, name, "exec"), program.__dict__)


def silence() -> None:
    """Say nothing more: what is frozen for the garbage collector is never freed, which nanobind, in triton, reports."""
    sys.stderr.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def alive(process: int) -> bool:
    """Whether a process is there."""
    with suppress(ProcessLookupError):
        os.kill(process, 0)
        return True
    return False


def serve(path: Path, tests: int) -> Optional[Dict[str, Any]]:
    """Fork for each request, which is what comes back in the fork; None once the tests have ended."""
    running: Dict[int, socket.socket] = {}
    with socket.socket(socket.AF_UNIX) as listening:
        path.unlink(missing_ok=True)
        listening.bind(str(path))
        listening.listen()
        while alive(tests):
            if select.select([listening], [], [], 0.02)[0]:
                connection, _ = listening.accept()
                request = json.loads(connection.makefile().readline())
                child = os.fork()
                if child == 0:
                    return dict(request)
                running[child] = connection
                answer(connection, child)
            child, status = os.waitpid(-1, os.WNOHANG) if running else (0, 0)
            if child in running:
                answer(running.pop(child), os.waitstatus_to_exitcode(status))
    for child in running:
        os.killpg(child, signal.SIGKILL)
    return None


def answer(connection: socket.socket, number: int) -> None:
    with suppress(BrokenPipeError):  # nobody waits any longer
        connection.sendall(f"{number}\n".encode())


def import_all(modules: Sequence[str]) -> None:
    for module in modules:
        import_module(module)


def main(folder: Path, tests: int) -> None:
    name = "torch"
    import_all(HEAVY[name])
    if os.fork() == 0:
        name = "fairseq"
        import_all(HEAVY[name])
        for module in EXTRAS:
            with suppress(ImportError):
                import_module(module)
        hydra = import_module("quick_hydra")
        hydra.keep_one_config_store()
        hydra.compose_once()
        hydra.warm_parsers()
        if os.fork() == 0:
            name = "plugin"
            import_all(HEAVY[name])
    gc.collect()
    gc.freeze()  # or each fork would look through it all, and copy what it touches
    request = serve(folder / name, tests)
    if request is not None:
        become(**request)  # which ends as any program, with what it has registered for its end
    else:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
