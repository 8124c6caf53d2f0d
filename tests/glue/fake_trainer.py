"""Stands in for fairseq-hydra-train: takes its words, writes a log and a checkpoint, and can fail or hang."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Dict, Tuple

UPDATES = 30
SCORES: Dict[str, Dict[str, Tuple[float, float, float]]] = {  # dev scores at three updates, before the seed is added
    "mcc": {"valid": (0.0, 60.0, 58.0)},
    "accuracy": {"valid": (70.0, 80.0, 80.0), "valid1": (71.0, 79.0, 85.0)},
    "acc_and_f1": {"valid": (68.0, 85.5, 88.0)},
    "pearson_and_spearman": {"valid": (50.0, 87.0, 86.0)},
}


def main() -> int:
    words = sys.argv[1:]
    task = words[words.index("--config-name") + 1][len("glue_") :]
    settings = dict(word.split("=", 1) for word in words if "=" in word)
    folder, seed = Path(settings["checkpoint.save_dir"]), int(settings["common.seed"])
    log("fairseq_cli.train", f"{{'seed': {seed}, 'num_updates': None}}")
    log("gpus", os.environ.get("CUDA_VISIBLE_DEVICES", "all"))
    log("process", str(os.getpid()))
    saved = folder / "checkpoint_last.pt"
    begin = int(saved.read_text()) if saved.exists() else 0
    for update in range(begin + 10, UPDATES + 1, 10):
        log("train_inner", json.dumps({"epoch": 1, "loss": "0.6", "num_updates": str(update)}))
        for split, figures in scores(task).items():
            value = str(figures[update // 10 - 1] + seed / 10)
            stats = {f"{split}_{metric_of(task)}": value, f"{split}_num_updates": str(update)}
            log(split, json.dumps(stats))
        part = saved.with_suffix(".part")
        part.write_text(str(update))
        part.replace(saved)
        if settings.get("+fail") == task and begin == 0:
            print("Traceback (most recent call last):\nRuntimeError: out of memory", flush=True)
            return 3
        if settings.get("+hang") == task and begin == 0:
            time.sleep(60)
    if settings.get("+silent") != task:
        log("fairseq_cli.train", "done training in 1.5 seconds")
    print("a warning that comes after it", flush=True)
    return 0


def metric_of(task: str) -> str:
    other = {"cola": "mcc", "mrpc": "acc_and_f1", "qqp": "acc_and_f1", "sts_b": "pearson_and_spearman"}
    return other.get(task, "accuracy")


def scores(task: str) -> Dict[str, Tuple[float, float, float]]:
    found = SCORES[metric_of(task)]
    return found if task == "mnli" else {"valid": found["valid"]}


def log(name: str, text: str) -> None:
    print(f"2026-01-01 10:00:00 | INFO | {name} | {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
