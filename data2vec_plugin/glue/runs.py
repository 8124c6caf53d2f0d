"""The runs of `data2vec glue run`: a command for each task and seed, and the state of each."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from ..files.recipe_tree import recipes_folder
from ..files.writing import write_atomically
from .tasks import Task

PROGRAM = "fairseq-hydra-train"
LOG = "console.log"  # not the name of the log that this plugin's tasks write next to the checkpoints
SETTINGS = "command.json"
RECIPES = ("glue", "glue2")
"""Prefixes of the recipes' names: for data2vec 1, and for data2vec 2.0."""
FORMAT = "common.log_format=json"  # the format that the report reads
DONE = "done training in"  # fairseq's last log line
TAIL = 65536  # bytes at the end of a log that are searched for it: warnings may follow it
SET_HERE = {
    "task.data": "the folder of the binaries",
    "model.model_path": "--checkpoint",
    "common.seed": "--seeds",
    "checkpoint.save_dir": "--out",
}
PLAIN = re.compile(r"[\w./:@%+-]+")  # values that hydra reads without quotes


@dataclass(frozen=True)
class GlueRun:
    """One fine-tuning of a task with a seed, in its own folder."""

    task: Task
    seed: int
    folder: Path
    command: tuple[str, ...]

    @property
    def name(self) -> str:
        """The run's name in messages."""
        return f"{self.task.name} seed {self.seed}"

    @property
    def log(self) -> Path:
        """The file with its whole output."""
        return self.folder / LOG

    @property
    def finished(self) -> bool:
        """Whether it has trained to its end."""
        return finished(self.log)


@dataclass(frozen=True)
class Settings:
    """The settings that all runs of a call share."""

    data: Path  # the output of `glue prepare`: a folder for each task
    checkpoint: Path
    out: Path
    overrides: tuple[str, ...] = ()
    config_dir: Path | None = None  # None: the recipes of the package
    recipes: str = RECIPES[0]


def run_folder(out: Path, task: Task, seed: int) -> Path:
    """The folder of a run's checkpoints and log."""
    return out / task.name / f"seed{seed}"


def finished(log: Path) -> bool:
    """Whether a log shows that the training is complete."""
    if not log.is_file():
        return False
    with open(log, "rb") as file:
        file.seek(max(log.stat().st_size - TAIL, 0))
        return DONE.encode() in file.read()


def plan(settings: Settings, tasks: list[Task], seeds: list[int]) -> list[GlueRun]:
    """A run for each task and seed.

    Raises:
        ValueError: the program, the checkpoint, a recipe or a task's binaries are missing, or an override is invalid or
            conflicts with an option.
    """
    check_overrides(settings.overrides)
    if not settings.checkpoint.is_file():
        raise ValueError(f"--checkpoint {settings.checkpoint}: no such file; expected a pre-trained checkpoint_….pt")
    configs = (settings.config_dir or recipes_folder()).resolve()
    program = find_program()
    runs = []
    for task in tasks:
        check_task(settings.data, configs / f"{settings.recipes}_{task.name}.yaml", task)
        head = (program, "--config-dir", str(configs), "--config-name", f"{settings.recipes}_{task.name}")
        for seed in seeds:
            folder = run_folder(settings.out.resolve(), task, seed)
            values = {
                "task.data": str(settings.data.resolve() / task.name),
                "model.model_path": str(settings.checkpoint.resolve()),
                "common.seed": str(seed),
                "checkpoint.save_dir": str(folder),
            }
            words = (override(key, value) for key, value in values.items())
            runs.append(GlueRun(task, seed, folder, (*head, *words, FORMAT, *settings.overrides)))
    return runs


def find_program() -> str:
    """fairseq's command: on the PATH, or else next to this Python."""
    beside = str(Path(sys.executable).parent)
    program = shutil.which(PROGRAM) or shutil.which(PROGRAM, path=beside)
    if program is None:
        raise ValueError(
            f"{PROGRAM} is neither on the PATH nor in {beside}; install fairseq, `data2vec doctor` prints how"
        )
    return program


def check_overrides(overrides: tuple[str, ...]) -> None:
    """Raise ValueError for a word that hydra would reject, or that an option sets."""
    for word in overrides:
        key, equals, _ = word.partition("=")
        if not equals and not word.startswith("~"):
            raise ValueError(
                f"got {word!r}; expected hydra's KEY=VALUE, as in optimization.max_update=100 or +run=1gpu"
            )
        option = SET_HERE.get(key.lstrip("+"))  # ~ may remove a key, for a model that lacks it
        if option:
            raise ValueError(f"{word}: every run has its own `{key.lstrip('+')}`; set it with {option}")


def check_task(data: Path, recipe: Path, task: Task) -> None:
    """Raise ValueError unless a task has its recipe and binaries."""
    if not recipe.is_file():
        raise ValueError(f"{recipe}: no such recipe; `data2vec recipes --copy DIR` gives a folder for --config-dir")
    dictionary = data / task.name / "input0" / "dict.txt"
    if not dictionary.is_file():
        raise ValueError(f"{dictionary}: no such file; `data2vec glue prepare` writes {data / task.name}")


def override(key: str, value: str) -> str:
    """A setting as hydra reads it, quoted where the value has characters of its grammar, such as `=`."""
    if PLAIN.fullmatch(value):
        return f"{key}={value}"
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{key}='{quoted}'"


def shown(run: GlueRun) -> str:
    """The run's command as it is typed."""
    return shlex.join(run.command)


def check_same_settings(run: GlueRun) -> None:
    """Raise ValueError if the run was started with other settings: it would resume from their checkpoint."""
    path = run.folder / SETTINGS
    if not path.is_file():
        return
    before, now = json.loads(path.read_text(encoding="utf-8")), list(settings_of(run))
    if before != now:
        gone, new = (" ".join(w for w in a if w not in b) or "nothing" for a, b in ((before, now), (now, before)))
        raise ValueError(
            f"{run.folder} was started with other settings ({gone} instead of {new}); give the same ones to resume, "
            "give another --out, or delete the folder to start again"
        )


def remember_settings(run: GlueRun) -> None:
    """Record the settings of the run."""
    write_atomically(run.folder / SETTINGS, json.dumps(settings_of(run), indent=0) + "\n")


def settings_of(run: GlueRun) -> tuple[str, ...]:
    """The words of the command that affect the result: not the paths of program and run, nor the log's format."""
    fixed = 3  # the program, --config-dir and the folder
    return tuple(word for word in run.command[fixed:] if not word.startswith(("checkpoint.save_dir=", FORMAT)))


def parse_seeds(text: str) -> list[int]:
    """The seeds of `1-5` or `1,2,7`, each once.

    Raises:
        ValueError: it is neither.
    """
    seeds: dict[int, None] = {}
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d+)(?:\s*-\s*(\d+))?\s*", part)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if first > last:
            raise ValueError(f"--seeds {text!r}: cannot read {part!r}; expected seeds such as 1-5 or 1,2,7")
        seeds.update(dict.fromkeys(range(first, last + 1)))
    return list(seeds)


def parse_gpus(text: str | None) -> list[str | None]:
    """The GPUs to use, one run at a time on each; [None] leaves that to fairseq, with one run at a time.

    Raises:
        ValueError: they are not numbers, or one occurs twice.
    """
    if text is None:
        return [None]
    gpus: list[str | None] = [part.strip() for part in text.split(",")]
    if not all(gpu and gpu.isdigit() for gpu in gpus) or len(set(gpus)) < len(gpus):
        raise ValueError(f"--gpus {text!r}: expected comma-separated numbers of different GPUs, such as 0,1,3")
    return gpus
