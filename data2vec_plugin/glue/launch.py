"""Run fine-tunings one after the other, or one at a time on each GPU; failed or stopped runs can be resumed."""

from __future__ import annotations

import fcntl
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from ..runs.following import LogTail, clock, last_lines
from ..runs.training_log import parse_line
from .runs import GlueRun, Settings, check_same_settings, parse_gpus, parse_seeds, plan, remember_settings, shown
from .tasks import choose

POLL_SECONDS = 0.2
GRACE_SECONDS = 20.0  # between asking a run to end and killing it
LAST_LINES = 15


class BusyError(Exception):
    """Another command is training this run."""


class Running:
    """A run whose process is alive, and its progress from its log.

    The process holds a lock on its log as long as it, or one of its workers, lives: also after this process has ended.

    Raises:
        BusyError: another process holds that lock.
    """

    def __init__(self, run: GlueRun, gpu: str | None) -> None:
        self.run, self.gpu = run, gpu
        self.update, self.metric = 0, ""
        self.begin = time.monotonic()
        run.folder.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        if gpu is not None:
            environment["CUDA_VISIBLE_DEVICES"] = gpu
        with open(run.log, "ab") as log:
            try:
                fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BusyError from error
            remember_settings(run)
            begin = "\n" if log.tell() else ""  # a run that was killed may have left half a line
            log.write(f"{begin}$ {shlex.join(run.command)}\n".encode())
            log.flush()
            self.tail = LogTail(run.log, log.tell())
            # in a new session: an interrupt reaches only this process, which then ends the run and its loader workers
            self.process = subprocess.Popen(
                run.command, stdout=log, stderr=subprocess.STDOUT, env=environment, start_new_session=True
            )

    def follow(self) -> None:
        """Read the new lines of the log."""
        for line in self.tail.lines():
            entry = parse_line(line)
            if entry is not None:
                self.update = entry.update
                if entry.split == "valid" and self.run.task.metric in entry.stats:
                    self.metric = f", {self.run.task.metric} {entry.stats[self.run.task.metric]:.4g}"

    def text(self) -> str:
        """The run's progress as text."""
        place = f" on GPU {self.gpu}" if self.gpu is not None else ""
        return f"{self.run.name}{place}: update {self.update:,}{self.metric}"

    def has_ended(self) -> bool:
        """Whether the process is over.

        Its exit status is not collected yet, so that its id, which is also its group's, is not reused for another
        process before the last signal; on macOS this requires Python 3.13.
        """
        if not hasattr(os, "waitid"):
            return self.process.poll() is not None
        look = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return self.process.returncode is not None or os.waitid(os.P_PID, self.process.pid, look) is not None

    def end(self) -> None:
        """Kill what is left of the process and its children, and record its exit status."""
        if self.process.returncode is None:
            self.send(signal.SIGKILL)
        self.process.wait()

    def send(self, sign: signal.Signals) -> None:
        """Send a signal to the process and its children."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, sign)


def fine_tune(settings: Settings, tasks: str | None, seeds: str, gpus: str | None, listed: bool) -> bool:
    """Run a fine-tuning for each task and seed and report the results, or list the commands; whether none failed.

    Raises:
        ValueError: a setting or a file is missing or invalid.
    """
    places = parse_gpus(gpus)
    runs = plan(settings, choose(tasks), parse_seeds(seeds))
    if listed:
        print("\n".join(map(shown, runs)))
        return True
    failed = launch(runs, places)
    count = sum(run.finished for run in runs)
    print(f"{count} of {len(runs)} runs are finished; `data2vec glue report {settings.out}` shows them")
    if failed:
        names = ", ".join(run.name for run in failed)
        print(f"failed: {names}; run the same command again to retry", file=sys.stderr)
    return not failed


def launch(runs: list[GlueRun], gpus: list[str | None]) -> list[GlueRun]:
    """Run what is not finished yet; return the runs that failed.

    Raises:
        ValueError: a run was started with other settings; nothing is started then.
        KeyboardInterrupt: this process was interrupted or asked to end; all runs have ended by then.
    """
    from tqdm import tqdm

    for run in runs:
        check_same_settings(run)
    failed: list[GlueRun] = []
    running: list[Running] = []
    with tqdm(total=len(runs), unit="run", disable=None) as bar, asked_to_end() as asked:
        waiting, free = deque(skip_finished(runs, bar)), deque(gpus)
        try:
            while waiting or running:
                while waiting and free:
                    running += start(waiting.popleft(), free, bar)
                time.sleep(POLL_SECONDS)
                if asked:
                    raise KeyboardInterrupt
                for each in list(running):
                    if each.has_ended():
                        running.remove(each)
                        free.append(each.gpu)
                        if not report_end(each, bar):
                            failed.append(each.run)
                    each.follow()
                bar.set_postfix_str("; ".join(each.text() for each in running))
        finally:
            stop(running, bar)
    return failed


def stop(running: list[Running], bar: Any) -> None:
    """End the running runs: ask all, wait, then kill them."""
    for each in running:
        each.send(signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    for each in running:
        while not each.has_ended() and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        each.end()
        each.follow()
        bar.write(f"{each.run.name}: stopped at update {each.update:,}; run the same command again to resume")


def start(run: GlueRun, free: deque[str | None], bar: Any) -> list[Running]:
    """Start a run on the first free GPU and report it; a run that another command is training is not started."""
    resumed = "resumes where it stopped" if (run.folder / "checkpoint_last.pt").is_file() else "starts"
    try:
        running = Running(run, free[0])
    except BusyError:
        bar.write(f"{run.name}: another command is training it: skipped")
        bar.update()
        return []
    place = f" on GPU {free[0]}" if free[0] is not None else ""
    bar.write(f"{run.name}: {resumed}{place}; log: {run.log}")
    free.popleft()
    return [running]


def skip_finished(runs: list[GlueRun], bar: Any) -> Iterator[GlueRun]:
    """The runs that are left to do; reports the others."""
    for run in runs:
        if run.finished:
            bar.write(f"{run.name}: already finished: skipped")
            bar.update()
        else:
            yield run


def report_end(ended: Running, bar: Any) -> bool:
    """Report how a run ended; whether it is finished."""
    ended.end()  # including loader workers that a crash has left behind
    ended.follow()
    bar.update()
    if ended.run.finished:
        seconds = time.monotonic() - ended.begin
        bar.write(f"{ended.run.name}: finished at update {ended.update:,}{ended.metric}; {clock(seconds)}")
        return True
    code = ended.process.returncode
    how = f"exited with code {code}" if code else "ended before training was complete"
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else how
    bar.write(
        f"{ended.run.name}: FAILED: it {how}; the end of {ended.run.log}:\n{tail(ended.run.log)}", file=sys.stderr
    )
    return False


def tail(log: Path) -> str:
    """The last lines of a log."""
    return "\n".join(f"    {line}" for line in last_lines(log, LAST_LINES)).rstrip()


@contextmanager
def asked_to_end() -> Iterator[list[int]]:
    """A list of received signals: an interrupt, a cluster's request to end, a closed terminal.

    An exception from a handler could occur between the start of a process and its registration.
    """
    before: dict[signal.Signals, Any] = {}
    asked: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        asked.append(number)

    if threading.current_thread() is threading.main_thread():  # only it may set handlers
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(sign) != signal.SIG_IGN:  # as under nohup
                before[sign] = signal.signal(sign, note)
    try:
        yield asked
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)
