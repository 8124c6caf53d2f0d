"""Predictions of clips, and their file: a table, or JSON with metrics and counts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import torch
from numpy.typing import NDArray

from ..criterions.multimodal_metrics import emotion_scores, sentiment_scores
from ..files.writing import write_atomically

ENDINGS = (".tsv", ".json")
DIGITS = 6


@dataclass(frozen=True)
class Predictions:
    """``outputs`` (N, outputs) of the clips ``names``; ``labels`` are empty if the table has none.

    ``emotions`` are empty for a regression; ``dropped`` clips have no streams, ``left_out`` ones have unreadable files.
    """

    names: List[str]
    outputs: NDArray[np.float32]
    emotions: List[str]
    labels: List[Any]
    clips: int
    dropped: List[str]
    left_out: List[str]
    without: Dict[str, int]
    run: str
    num_updates: int

    def rows(self) -> List[Dict[str, Any]]:
        """One row per clip: ``prediction``, or for each emotion its class and all probabilities; and the label."""
        rows = [{"id": name, **self._predicted(place)} for place, name in enumerate(self.names)]
        for row, label in zip(rows, self.labels):
            values = label if self.emotions else [label]
            row.update(zip(self._label_names(), values))
        return rows

    def _label_names(self) -> List[str]:
        return [f"{emotion}_label" for emotion in self.emotions] or ["label"]

    def _predicted(self, place: int) -> Dict[str, Any]:
        if not self.emotions:
            return {"prediction": round(float(self.outputs[place, 0]), DIGITS)}
        found: Dict[str, Any] = {}
        for emotion, logits in zip(self.emotions, self.outputs[place].reshape(len(self.emotions), -1)):
            shares = torch.from_numpy(logits).double().softmax(0)
            found[emotion] = int(logits.argmax())
            found.update({f"{emotion}_{number}": round(float(share), DIGITS) for number, share in enumerate(shares)})
        return found

    def metrics(self) -> Dict[str, float]:
        """All metrics of the clips, by name; empty without labels."""
        if not self.labels:
            return {}
        if self.emotions:
            return emotion_scores(list(self.outputs), self.labels, self.emotions)
        return sentiment_scores(self.outputs[:, 0].tolist(), self.labels)

    def summary(self) -> str:
        """The number of predictions and their metrics, for messages."""
        said = ", ".join(f"{name} {value:.4f}" for name, value in self.metrics().items())
        return f"{len(self.names):,} predictions" + (f"; {said}" if said else "; no labels to compare them with")


def check_ending(path: Path) -> None:
    """Raise ValueError for a file name that is neither a table nor JSON."""
    if path.suffix not in ENDINGS:
        raise ValueError(f"`--out` is {path}; expected the extension {' or '.join(ENDINGS)}")


def write_predictions(path: Path, found: Predictions) -> None:
    """Write a .tsv, one row per clip after a header, or a .json, which also holds metrics and counts."""
    rows = found.rows()
    if path.suffix == ".tsv":
        lines = ["\t".join(rows[0]), *("\t".join(map(str, row.values())) for row in rows)]
        write_atomically(path, "\n".join(lines) + "\n")
        return
    whole = {
        "run": found.run,
        "updates": found.num_updates,
        "clips": found.clips,
        "predicted": len(found.names),
        "without": found.without,
        "dropped": found.dropped,
        "left_out": found.left_out,
        "metrics": found.metrics(),
        "predictions": rows,
    }
    write_atomically(path, json.dumps(whole, indent=2, ensure_ascii=False) + "\n")
