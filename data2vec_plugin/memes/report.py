"""The report on a trained meme classifier: scores on a split, comparison with single parts, and worst mistakes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
import torch
from numpy.typing import NDArray

from ..criterions.meme_metrics import accuracy, average_precision, best, checked, confusion, precision_recall, smoothed
from ..files.writing import write_atomically
from ..runs.tables import print_table
from .baselines import Fit, fitted_scores, subsets
from .report_picture import draw_report
from .trained import Split, Trained, encode_split, load_trained, scores_on

WEAK = (
    "Labels of this kind are weak: they often reflect where an image was found, not what people think of it. Do not "
    "use this model for moderation without human review."
)


@dataclass(frozen=True)
class Wanted:
    """The user's request; see `data2vec memes report --help`."""

    run: Path
    data: Path
    out: Path
    split: str = "valid"
    train_split: str = "train"
    smoothing: Optional[float] = None
    epochs: int = 30
    worst: int = 20
    device: str = "cpu"
    ocr: Optional[str] = None
    positive: Optional[str] = None


def report(wanted: Wanted) -> None:
    """Write OUT/report.json and OUT/report.png, and print the table.

    Raises ValueError for a checkpoint of another model, unusable data, and numbers out of range.
    """
    check_numbers(wanted)
    trained = load_trained(wanted.run, wanted.data, ocr=wanted.ocr, positive=wanted.positive)
    device = torch.device(wanted.device)
    test, train = (encode_split(trained, name, device) for name in (wanted.split, wanted.train_split))
    scores = scores_on(trained, test)
    found = results(wanted, trained, train, test, scores)
    write_atomically(wanted.out / "report.json", json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    draw_report(found, wanted.out / "report.png")
    show(found)
    print(f"{wanted.out / 'report.json'}\n{wanted.out / 'report.png'}")


def check_numbers(wanted: Wanted) -> None:
    """Raise ValueError for numbers out of range."""
    if wanted.epochs < 1 or wanted.worst < 0:
        raise ValueError(f"`--epochs` is {wanted.epochs}, `--worst` {wanted.worst}; expected 1 or more, 0 or more")
    if wanted.smoothing is not None:
        smoothed([], wanted.smoothing)


def results(wanted: Wanted, trained: Trained, train: Split, test: Split, scores: NDArray[np.float64]) -> Dict[str, Any]:
    """The content of the report."""
    cfg = trained.model.cfg
    fit = Fit(cfg.hidden, cfg.dropout, trained.loss, wanted.epochs)
    _, labels = checked(scores, test.labels)
    precision, recall = precision_recall(scores, labels)
    positives = float(labels.mean())
    return {
        "run": str(trained.path),
        "updates": trained.num_updates,
        "split": test.name,
        "memes": len(test),
        "left_out": test.left_out,
        "captions_empty": sum(not caption for caption in test.captions),
        "modalities": trained.parts,
        **metrics_of(scores, test),
        "accuracy_majority": max(positives, 1 - positives),
        **smoothing_of(trained, wanted),
        "fitted_alike": {
            name: metrics_of(fitted_scores(train, test, parts, fit), test)
            for name, parts in subsets(trained.parts).items()
        },
        "fit": {**fit.description(), "split": train.name},
        "confusion": confusion(scores, labels),
        "precision": precision.tolist(),
        "recall": recall.tolist(),
        "most_wrong": most_wrong(scores, test, wanted.worst),
        "note": WEAK,
    }


def metrics_of(scores: NDArray[np.float64], split: Split) -> Dict[str, float]:
    """Accuracy and average precision."""
    ours, labels = checked(scores, split.labels)
    return {"accuracy": accuracy(ours, labels), "average_precision": average_precision(ours, labels)}


def smoothing_of(trained: Trained, wanted: Wanted) -> Dict[str, Any]:
    """The accuracy of all validations on the run's first split, raw and smoothed, their best values, and the factor."""
    factor = trained.task.cfg.smoothing if wanted.smoothing is None else wanted.smoothing
    curves = trained.model.validations
    name = wanted.split if wanted.split in curves else next(iter(curves), "")
    curve = curves.get(name, [])
    smooth = smoothed(curve, factor)
    return {
        "smoothing": factor,
        "validated_split": name,
        "validations": curve,
        "validations_smoothed": smooth,
        "accuracy_best_validation": best(curve) if curve else None,
        "accuracy_smoothed_best": best(smooth) if curve else None,
    }


def most_wrong(scores: NDArray[np.float64], split: Split, count: int) -> List[Dict[str, Any]]:
    """The misclassified memes whose scores are furthest from their labels."""
    _, labels = checked(scores, split.labels)
    distance = np.abs(scores - labels)
    wrong = [int(place) for place in np.argsort(-distance, kind="stable") if distance[place] >= 0.5]
    return [
        {
            "picture": split.pictures[place],
            "caption": split.captions[place],
            "label": int(labels[place]),
            "score": float(scores[place]),
        }
        for place in wrong[:count]
    ]


def show(found: Dict[str, Any]) -> None:
    """Print the table."""
    rows: List[Tuple[str, str, str]] = [row("this run", found)]
    rows += [row(f"{name}, same training", scores) for name, scores in found["fitted_alike"].items()]
    rows.append(("always the larger class", f"{found['accuracy_majority']:.3f}", "-"))
    print_table(
        f"{found['memes']:,} memes of {found['split']}, {found['captions_empty']:,} without a caption",
        ("", "accuracy", "average precision"),
        rows,
    )
    if found["accuracy_smoothed_best"] is not None:
        print(
            f"validations on {found['validated_split']}: best accuracy {found['accuracy_best_validation']:.3f}, "
            f"smoothed with factor {found['smoothing']:g} {found['accuracy_smoothed_best']:.3f}; a best of many is "
            f"optimistic"
        )
    print(found["note"])


def row(name: str, scores: Dict[str, Any]) -> Tuple[str, str, str]:
    """A row of the table."""
    return name, f"{scores['accuracy']:.3f}", f"{scores['average_precision']:.3f}"
