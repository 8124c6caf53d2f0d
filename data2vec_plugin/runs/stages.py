"""Run a list of commands: print each, show its progress, record what is done."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .following import Followed, LiveLine, clock

Command = tuple[str, ...]
PAUSE = 0.2  # seconds between two looks at a log


@dataclass(frozen=True)
class Stage:
    """One command, and what decides whether it must run again."""

    name: str
    title: str
    command: Command
    folder: Path  # its results: set aside if the command has changed
    after: tuple[str, ...] = ()  # stages whose results it reads
    updates: int = 0  # of a training command; 0: the command shows its own progress
    logged: bool = False  # its output is long and goes to the log only
    beside: str = ""  # the previous training in the list, which runs at the same time


@dataclass
class Record:
    """The record of a stage in stages.json."""

    fingerprint: str
    done: bool = False
    seconds: float = 0.0
    peak_memory_gib: float = 0.0
    beside: str = ""


class Runner:
    """Runs stages in `root`, and keeps their records and logs below `out`."""

    def __init__(self, out: Path, root: Path) -> None:
        self.out, self.root = out, root
        self.path = out / "stages.json"
        self.records: dict[str, Record] = {}
        if self.path.exists():
            found = json.loads(self.path.read_text(encoding="utf-8"))
            self.records = {name: Record(**fields) for name, fields in found.items()}
        self.environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        scripts = str(Path(sys.executable).parent)  # the console scripts of this environment
        self.environment["PATH"] = scripts + os.pathsep + self.environment.get("PATH", "")

    def costs(self, install_seconds: Path, seconds: float) -> dict[str, Any]:
        """Return the cost of all stages, for reports.

        Args:
            install_seconds: a file with the seconds of the installation, if there is one.
            seconds: duration of this call.
        """
        installed = float(install_seconds.read_text()) if install_seconds.exists() else 0.0
        by_stage = {name: round(record.seconds, 1) for name, record in self.records.items()}
        return {
            "seconds_install": round(installed, 1),
            "seconds_total": round(installed + self.seconds(), 1),
            "seconds_this_call": round(seconds, 1),
            "seconds_by_stage": by_stage,
            "peak_memory_gib": round(max(record.peak_memory_gib for record in self.records.values()), 2),
        }

    def seconds(self) -> float:
        """Return the wall time of all stages: stages side by side count as the slowest of them."""
        waited: dict[str, float] = {}
        for name, record in self.records.items():
            first = record.beside or name
            waited[first] = max(waited.get(first, 0.0), record.seconds)
        return sum(waited.values())

    def run(self, *stages: Stage) -> None:
        """Run or resume a stage, or report that it is done; several run side by side.

        Raises:
            SystemExit: its command failed.
        """
        due = [stage for stage in stages if not self._done(stage)]
        for stage in due:
            resumed = " (resumes where it stopped)" if stage.updates and self.log(stage.name).exists() else ""
            print(f"\n[{stage.name}] {stage.title}{resumed}\n$ {shown(stage.command)}", flush=True)
        if len(due) > 1:
            print("\nside by side:", flush=True)
        quiet = any(stage.updates or stage.logged for stage in due)
        codes = self._follow(due, len(stages)) if quiet else [self._call(stage) for stage in due]
        for stage, code in zip(due, codes):
            if code != 0:
                raise SystemExit(f"error: [{stage.name}] exited with code {code}: {shown(stage.command)}")

    def _done(self, stage: Stage) -> bool:
        record = self._record(stage)
        if record.done:
            print(f"\n[{stage.name}] already done, in {clock(record.seconds)}: skipped", flush=True)
        return record.done

    def log(self, name: str) -> Path:
        """Return the path of a stage's log."""
        return self.out / "logs" / f"{name}.log"

    def _record(self, stage: Stage) -> Record:
        """Return the stage's record; if the stage has changed, a new one, with the old results set aside."""
        inputs = [self.records[name].fingerprint for name in stage.after]
        text = json.dumps([stage.command, inputs])
        fingerprint = hashlib.sha256(text.encode()).hexdigest()[:16]
        record = self.records.get(stage.name)
        if record is None or record.fingerprint != fingerprint or not stage.folder.exists():
            if record is not None and stage.folder.exists():
                aside = stage.folder.with_name(stage.folder.name + ".old")
                shutil.rmtree(aside, ignore_errors=True)
                stage.folder.replace(aside)
                print(f"\n[{stage.name}] the settings have changed: moved the old results to {aside}")
            self.log(stage.name).unlink(missing_ok=True)
            record = self.records[stage.name] = Record(fingerprint, beside=stage.beside)
            self._save()
        return record

    def _save(self) -> None:
        self.out.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        values = {name: vars(record) for name, record in self.records.items()}
        part.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
        part.replace(self.path)

    def _note(self, stage: Stage, seconds: float, code: int) -> None:
        record = self.records[stage.name]
        record.done = code == 0
        record.seconds += seconds
        record.peak_memory_gib = peak_memory_gib()
        self._save()

    def _call(self, stage: Stage) -> int:
        """Run a command that shows its own progress; returns its exit code."""
        begin, code = time.monotonic(), 1
        try:
            code = subprocess.call(stage.command, cwd=self.root, env=self.environment)
        finally:
            self._note(stage, time.monotonic() - begin, code)
        return code

    def _follow(self, stages: Sequence[Stage], sharing: int) -> list[int]:
        """Run commands at the same time, sharing the cores, each with its log; returns their exit codes."""
        environment = dict(self.environment)
        if sharing > 1:
            environment.setdefault("OMP_NUM_THREADS", str(max((os.cpu_count() or 1) // sharing, 1)))
        running: list[Followed] = []
        codes: list[int] = []
        try:
            for stage in stages:
                live = LiveLine(stage.title, stage.updates, sharing == 1) if stage.updates else None
                running.append(Followed(stage.command, self.log(stage.name), self.root, environment, live))
            while [command for command in running if command.look()]:
                time.sleep(PAUSE)
        finally:
            for stage, command in zip(stages, running):
                codes.append(command.end())
                self._note(stage, command.seconds, codes[-1])
        return codes


def run_or_list(runner: Runner, commands: list[Stage], listed: bool) -> int | None:
    """Run all commands, or only print them if they are listed; returns an exit code if nothing else is to be done."""
    if listed:
        for stage in commands:
            print(shown(stage.command), end="\n\n")
        return 0
    try:
        for group in side_by_side(commands):
            runner.run(*group)
    except KeyboardInterrupt:
        print("\nstopped; run the same command again to resume", file=sys.stderr)
        return 130
    return None


def side_by_side(stages: Sequence[Stage]) -> list[list[Stage]]:
    """Group a list of stages into those that run at the same time."""
    groups: list[list[Stage]] = []
    for stage in stages:
        if stage.beside and groups and groups[-1][0].name == stage.beside:
            groups[-1].append(stage)
        else:
            groups.append([stage])
    return groups


def below(root: Path, folder: Path) -> str:
    """A folder's path for commands that run in `root`."""
    folder = folder.resolve()
    return folder.relative_to(root).as_posix() if root in folder.parents else str(folder)


def shown(command: Command) -> str:
    """A command as it is typed, one setting per line if it is long."""
    words = [shlex.quote(word) for word in command]
    text = " ".join(words)
    return text if len(text) <= 100 else " \\\n    ".join(_lines(words))


def _lines(words: list[str], width: int = 92) -> list[str]:
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + len(word) < width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def peak_memory_gib(bytes_per_unit: int | None = None) -> float:
    """Return the memory of the largest process started so far, in GiB."""
    unit = bytes_per_unit or (1 if sys.platform == "darwin" else 1024)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit / 2**30
