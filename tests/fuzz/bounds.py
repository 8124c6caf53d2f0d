"""What every file that is made at random may cost: a result or a word, in little time and memory.

`make test` takes some dozen examples of each kind, always the same; `make fuzz` takes `DATA2VEC_FUZZ` new ones.
"""

from __future__ import annotations

import os
import resource
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator

from hypothesis import HealthCheck, settings

SECONDS = 10
"""Of this process's own time; ten times as much by the clock, whatever else the machine does."""
MEMORY = 512 << 20
EXAMPLES = int(os.environ.get("DATA2VEC_FUZZ", "0"))


class TooMuchError(BaseException):
    """An example took too long; no reader may catch it."""


def bounded(examples: int = 40) -> settings:
    """So many examples, the same ones each time; `DATA2VEC_FUZZ` new ones if it is set."""
    return settings(
        max_examples=EXAMPLES or examples,
        deadline=None,
        derandomize=not EXAMPLES,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


def settled(path: Path, use: Callable[[Path], Any]) -> None:
    """Use a file within the limits; raises whatever is no ValueError in words that name it."""
    try:
        with limited():
            use(path)
    except ValueError as error:
        if path.name not in str(error):
            raise AssertionError(f"{error} names no file") from error


@contextmanager
def limited() -> Iterator[None]:
    """No more memory than :data:`MEMORY`, beside what the process has, and no more than :data:`SECONDS`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    before = {number: signal.signal(number, _too_long) for number in (signal.SIGPROF, signal.SIGALRM)}
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.alarm(10 * SECONDS)
    resource.setrlimit(resource.RLIMIT_AS, (_mapped() + MEMORY, hard))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
        for number, handler in before.items():
            signal.signal(number, handler)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _too_long(*_: Any) -> None:
    raise TooMuchError(f"took more than {SECONDS} s")


def _mapped() -> int:
    """Bytes of addresses that this process has."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    return pages * resource.getpagesize()
