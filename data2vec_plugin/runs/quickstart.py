"""What quickstarts share: their options, the words of a training's command, and report.json."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..files.writing import write_atomically
from .stages import Command


def options(description: str, out: Path) -> argparse.ArgumentParser:
    """The options of a quickstart that writes to `out` if it is not told otherwise."""
    parser = argparse.ArgumentParser(description=description.split("\n\n")[0])
    parser.add_argument("--seed", type=int, default=1, help="of all three trainings (1)")
    parser.add_argument("--out", type=Path, default=out, help=f"folder of all results ({out})")
    parser.add_argument("--list", action="store_true", help="print the commands, run nothing")
    return parser


def training(recipe: str, data: str, folder: str, seed: int, run: str = "cpu", log_interval: int = 10) -> Command:
    """The beginning of a training's command: one of our recipes, on `data`, which saves to `folder`."""
    return (
        *("fairseq-hydra-train", "--config-dir", "configs", "--config-name", recipe, f"+run={run}"),
        *(f"task.data={data}", f"checkpoint.save_dir={folder}"),
        *(f"common.seed={seed}", f"common.log_interval={log_interval}"),
    )


def write_results(path: Path, results: Mapping[str, Any]) -> None:
    """Write report.json, whole or not at all."""
    write_atomically(path, json.dumps(results, indent=2) + "\n")
