"""Run a list of commands: print each, show its progress, remember what is done."""

import hashlib
import json
import os
import resource
import shlex
import shutil
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from data2vec_plugin.cli.training_log import parse_line

SHOWN = {
    "train_inner/loss": "loss",
    "train_inner/target_var": "target variance",
    "train_inner/pred_var": "prediction variance",
    "valid/loss": "valid loss",
    "valid/wer": "valid WER",
    "valid/accuracy": "valid accuracy",
}
LAST_LINES = 25


@dataclass(frozen=True)
class Stage:
    """One command, and what decides whether it has to run again."""

    name: str
    title: str
    command: tuple[str, ...]
    folder: Path  # what it writes: set aside when the command has changed
    after: tuple[str, ...] = ()  # stages whose results it reads
    updates: int = 0  # of a training command; 0 means that it shows its progress itself
    logged: bool = False  # says more than anybody reads: into the log with it


@dataclass
class Record:
    """What is known of a stage: written to stages.json."""

    fingerprint: str
    done: bool = False
    seconds: float = 0.0
    peak_memory_gib: float = 0.0


class LiveLine:
    """One line on the terminal that tells how far a training is; ten lines where there is none."""

    def __init__(self, title: str, updates: int) -> None:
        self.title, self.updates = title, updates
        self.begin, self.first = time.monotonic(), -1
        self.values: dict[str, float] = {}
        self.tenth, self.last = -1, 0
        self.live = sys.stdout.isatty()

    def feed(self, line: str) -> None:
        """Take a line of the log and show what it says."""
        entry = parse_line(line)
        if entry is None:
            return
        for name, value in entry.stats.items():
            if f"{entry.split}/{name}" in SHOWN:
                self.values[SHOWN[f"{entry.split}/{name}"]] = value
        self.first = entry.update if self.first < 0 else self.first
        if entry.update < self.last:  # the next job of a sweep
            self.tenth = -1
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
        parts += [f"{name} {value:.3g}" for name, value in self.values.items()]
        parts.append(clock(elapsed))
        if update > self.first:  # a resumed run begins at another update than 0
            left = elapsed * (self.updates - update) / (update - self.first)
            parts.append(f"about {clock(max(left, 0))} left")
        return "  " + "  ".join(parts)

    def close(self) -> None:
        """Leave the last state on the terminal."""
        if self.live and self.values:
            print()


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
        """Return what all stages cost, as reports say it.

        Args:
            install_seconds: a file with the seconds that the installation took, if there was one.
            seconds: that this call took.
        """
        installed = float(install_seconds.read_text()) if install_seconds.exists() else 0.0
        by_stage = {name: round(record.seconds, 1) for name, record in self.records.items()}
        return {
            "seconds_install": round(installed, 1),
            "seconds_total": round(installed + sum(by_stage.values()), 1),
            "seconds_this_call": round(seconds, 1),
            "seconds_by_stage": by_stage,
            "peak_memory_gib": round(max(record.peak_memory_gib for record in self.records.values()), 2),
        }

    def run(self, stage: Stage) -> None:
        """Run a stage, go on with it, or say that it is done.

        Raises:
            SystemExit: its command failed.
        """
        record = self._record(stage)
        if record.done:
            print(f"\n[{stage.name}] done before in {clock(record.seconds)}: skipped", flush=True)
            return
        resumed = " (goes on where it stopped)" if record.seconds and stage.updates else ""
        print(f"\n[{stage.name}] {stage.title}{resumed}\n$ {shown(stage.command)}", flush=True)
        begin = time.monotonic()
        try:
            code = self._follow(stage) if stage.updates or stage.logged else self._call(stage)
            record.done = code == 0
        finally:
            record.seconds += time.monotonic() - begin
            record.peak_memory_gib = peak_memory_gib()
            self._save()
        if code != 0:
            raise SystemExit(f"error: [{stage.name}] ended with code {code}: {shown(stage.command)}")

    def log(self, name: str) -> Path:
        """Return where a stage's output is kept."""
        return self.out / "logs" / f"{name}.log"

    def _record(self, stage: Stage) -> Record:
        """Return the stage's record; a new one, and its old results aside, if it has changed."""
        inputs = [self.records[name].fingerprint for name in stage.after]
        text = json.dumps([stage.command, inputs])
        fingerprint = hashlib.sha256(text.encode()).hexdigest()[:16]
        record = self.records.get(stage.name)
        if record is None or record.fingerprint != fingerprint or not stage.folder.exists():
            if record is not None and stage.folder.exists():
                aside = stage.folder.with_name(stage.folder.name + ".old")
                shutil.rmtree(aside, ignore_errors=True)
                stage.folder.replace(aside)
                print(f"\n[{stage.name}] the settings have changed: old results are in {aside}")
            self.log(stage.name).unlink(missing_ok=True)
            record = self.records[stage.name] = Record(fingerprint)
            self._save()
        return record

    def _save(self) -> None:
        self.out.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        values = {name: vars(record) for name, record in self.records.items()}
        part.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
        part.replace(self.path)

    def _call(self, stage: Stage) -> int:
        return subprocess.call(stage.command, cwd=self.root, env=self.environment)

    def _follow(self, stage: Stage) -> int:
        """Run a training command: everything into its log, one line on the terminal."""
        log, live = self.log(stage.name), LiveLine(stage.title, stage.updates)
        log.parent.mkdir(parents=True, exist_ok=True)
        last: deque[str] = deque(maxlen=LAST_LINES)
        process = subprocess.Popen(
            stage.command,
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        try:
            with open(log, "a", encoding="utf-8") as file:
                for line in process.stdout or ():
                    file.write(line)
                    last.append(line)
                    live.feed(line)
            code = process.wait()
        finally:
            live.close()
            if process.poll() is None:
                process.terminate()
                process.wait()
        if code != 0:
            print("".join(last) + f"the whole log: {log}", file=sys.stderr)
        return code


def run_or_list(runner: Runner, commands: list[Stage], listed: bool) -> Optional[int]:
    """Run all commands, or print them if they are to be listed; an exit code if that was all there is to do."""
    if listed:
        for stage in commands:
            print(shown(stage.command), end="\n\n")
        return 0
    try:
        for stage in commands:
            runner.run(stage)
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here", file=sys.stderr)
        return 130
    return None


def below(root: Path, folder: Path) -> str:
    """Write a folder as it shall appear in commands that run in `root`."""
    folder = folder.resolve()
    return folder.relative_to(root).as_posix() if root in folder.parents else str(folder)


def shown(command: tuple[str, ...]) -> str:
    """Write a command as it is typed, one setting a line where there are many."""
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


def clock(seconds: float) -> str:
    """Write seconds as minutes:seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def peak_memory_gib(bytes_per_unit: Optional[int] = None) -> float:
    """Return the memory of the largest process started so far, in GiB."""
    unit = bytes_per_unit or (1 if sys.platform == "darwin" else 1024)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit / 2**30
