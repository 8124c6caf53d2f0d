"""Shared code of the quickstarts: their options, the command of a training, and report.json."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..files.writing import write_atomically
from .stages import Command


def options(description: str, out: Path) -> argparse.ArgumentParser:
    """The options of a quickstart that writes to `out` by default."""
    parser = argparse.ArgumentParser(description=description.split("\n\n")[0])
    parser.add_argument("--seed", type=int, default=1, help="seed of all three trainings (default: 1)")
    parser.add_argument("--out", type=Path, default=out, help=f"folder of all results (default: {out})")
    parser.add_argument("--list", action="store_true", help="print the commands, run nothing")
    return parser


def options_of_methods(description: str, out: Path) -> argparse.ArgumentParser:
    """The options of a quickstart with both methods, which writes to `out`; data2vec 2.0 adds a 2 to its name."""
    parser = options(description, out)
    add = parser.add_argument
    add("--method", type=int, choices=(1, 2), default=1, help="pre-train with data2vec 1 or data2vec 2.0 (default: 1)")
    add(
        "--beside",
        type=Path,
        metavar="FOLDER",
        help="results of the other method to compare with (default: its default folder)",
    )
    parser.set_defaults(out=None)
    return parser


def settle_folders(args: argparse.Namespace, first: Path) -> None:
    """Fill in `out` and `beside` if not given: `first` for data2vec 1, its name with a 2 for data2vec 2.0."""
    mine, others = (first, first.with_name(first.name + "2"))[:: 1 if args.method == 1 else -1]
    if args.beside is None and args.out is None:
        args.beside = others
    args.out = args.out or mine


def training(recipe: str, data: str, folder: str, seed: int, run: str = "cpu", log_interval: int = 10) -> Command:
    """The beginning of a training's command: a recipe of the package, on `data`, which saves to `folder`."""
    return (
        *("fairseq-hydra-train", "--config-dir", "configs", "--config-name", recipe, f"+run={run}"),
        *(f"task.data={data}", f"checkpoint.save_dir={folder}"),
        *(f"common.seed={seed}", f"common.log_interval={log_interval}", "common.log_format=json"),
    )


def write_results(path: Path, results: Mapping[str, Any]) -> None:
    """Write report.json atomically."""
    write_atomically(path, json.dumps(results, indent=2) + "\n")
