"""Run a command that writes a log, and show its progress on one line of the terminal."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from .training_log import parse_line

SHOWN = {
    "train_inner/loss": "loss",
    "train_inner/target_var": "deviation of targets",
    "train_inner/pred_var": "of predictions",
    "valid/loss": "valid loss",
    "valid/wer": "valid WER",
    "valid/accuracy": "valid accuracy",
}
LAST_LINES = 25


class LogTail:
    """The lines added to a log since it was last read; `begin` is where that stopped."""

    def __init__(self, log: Path, begin: int = 0) -> None:
        self.log, self.read = log, begin

    def lines(self) -> list[str]:
        """The new lines; an incomplete line is kept until its end."""
        with open(self.log, "rb") as file:
            file.seek(self.read)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self.read += len(whole)
        return whole.decode("utf-8", errors="replace").splitlines()


def last_lines(log: Path, count: int) -> list[str]:
    """The last lines of a log."""
    with open(log, encoding="utf-8", errors="replace") as file:
        return [line.rstrip("\n") for line in deque(file, maxlen=count)]


class Followed:
    """A running command whose output goes to its log, which `live`, if given, follows."""

    def __init__(
        self,
        command: tuple[str, ...],
        log: Path,
        root: Path,
        environment: Mapping[str, str],
        live: LiveLine | None = None,
    ) -> None:
        self.log, self.live = log, live
        self.begin, self.seconds = time.monotonic(), 0.0
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "ab") as file:
            self.tail = LogTail(log, file.tell())
            self.process = subprocess.Popen(command, cwd=root, env=environment, stdout=file, stderr=subprocess.STDOUT)

    def look(self) -> bool:
        """Show new lines; returns whether the command still runs."""
        runs = self.process.poll() is None
        if runs or not self.seconds:
            self.seconds = time.monotonic() - self.begin
        if self.live is not None:
            for line in self.tail.lines():
                self.live.feed(line)
        return runs

    def end(self) -> int:
        """Stop the command if it still runs, and show how it ended; returns its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait()
        if self.live is not None:
            self.live.close()
        if code != 0:
            print("\n".join([*last_lines(self.log, LAST_LINES), f"the whole log: {self.log}"]), file=sys.stderr)
        return code


class LiveLine:
    """The progress of a training on one line of the terminal; on ten lines without one, or with other trainings."""

    def __init__(self, title: str, updates: int, alone: bool = True) -> None:
        self.title, self.updates = title, updates
        self.begin, self.first = time.monotonic(), -1
        self.values: dict[str, tuple[float, int]] = {}
        """By title: the last value, and the update it is of."""
        self.tenth, self.last = -1, 0
        self.live = alone and sys.stdout.isatty()

    def feed(self, line: str) -> None:
        """Read a line of the log and show its values."""
        entry = parse_line(line)
        if entry is None:
            return
        if entry.update < self.last:  # the next job of a sweep
            self.tenth, self.values = -1, {}
        for name, value in entry.stats.items():
            if f"{entry.split}/{name}" in SHOWN:
                self.values[SHOWN[f"{entry.split}/{name}"]] = value, entry.update
        self.first = entry.update if self.first < 0 else self.first
        self.last = entry.update
        tenth = 10 * entry.update // self.updates
        if self.live:
            width = shutil.get_terminal_size().columns - 1
            print("\r\033[K" + self.text(entry.update)[:width], end="", flush=True)
        elif tenth > self.tenth:
            print(self.text(entry.update), flush=True)
        self.tenth = max(tenth, self.tenth)

    def text(self, update: int) -> str:
        """Write the update, the metrics, and the time."""
        elapsed = time.monotonic() - self.begin
        parts = [f"{self.title}: update {update}/{self.updates}"]
        current, older = self.shown(update)
        parts += [*current, clock(elapsed)]
        if update > self.first:  # a resumed run begins at another update than 0
            left = elapsed * (self.updates - update) / (update - self.first)
            parts.append(f"about {clock(max(left, 0))} left")
        return "  " + "  ".join([*parts, *older])

    def shown(self, update: int) -> tuple[list[str], list[str]]:
        """The values of this update, and those of earlier ones with the update that each is of."""
        current, older = [], []
        for name, (value, of) in self.values.items():
            if of == update:
                current.append(f"{name} {value:.3g}")
            else:
                older.append(f"{name} {value:.3g} at {of}")
        return current, older

    def close(self) -> None:
        """Leave the last state on the terminal."""
        if self.live and self.values:
            print()


def clock(seconds: float) -> str:
    """Write seconds as minutes:seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
