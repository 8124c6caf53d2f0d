"""A trained meme classifier from its run's folder, and its encoders' features of a split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..checkpoints.trained_run import load_run
from ..criterions.meme_score import scores_of
from ..data.multimodal.meme_features import IDS

MODEL = "meme_classifier"


@dataclass(frozen=True)
class Trained:
    """A model in evaluation mode with its task; ``loss`` defines the meaning of its output."""

    path: Path
    model: Any
    task: Any
    loss: str
    num_updates: int

    @property
    def parts(self) -> List[str]:
        """The parts of a meme that it uses."""
        return list(self.model.encoders)


@dataclass(frozen=True)
class Split:
    """Vectors (N, D) of each part of a split's usable memes, with their labels and captions."""

    name: str
    features: Dict[str, Tensor]
    labels: NDArray[np.float32]
    pictures: List[str]
    captions: List[str]
    left_out: int

    def __len__(self) -> int:
        return len(self.labels)


def load_trained(run: Path, data: Path, **task_keys: Any) -> Trained:
    """Read a run's model, to be used on ``data``; keys of its task that are not None replace those it was trained with.

    Raises ValueError for a checkpoint of another model.
    """
    found = load_run(run, MODEL, "configs/meme_*.yaml", {"data": str(data), **task_keys})
    return Trained(found.path, found.model, found.task, str(found.criterion.get("loss", "mse")), found.num_updates)


def encode_split(trained: Trained, name: str, device: torch.device) -> Split:
    """Features of a split, cached by its task if the encoders are frozen."""
    task = trained.task
    dataset = task.memes(name)
    arrays = task.arrays(dataset, name, device)
    ids = arrays[IDS].tolist()
    items = [dataset.memes.items[place] for place in ids]
    return Split(
        name=name,
        features={part: torch.from_numpy(arrays[part]).float() for part in trained.parts},
        labels=dataset.labels[arrays[IDS]],
        pictures=[str(meme.picture) for meme in items],
        captions=[meme.text or "" for meme in items],
        left_out=len(dataset) - len(ids),
    )


@torch.no_grad()
def scores_on(trained: Trained, split: Split) -> NDArray[np.float64]:
    """Scores (N,), above 0.5 for 1."""
    device: Optional[torch.device] = next(trained.model.classifier.parameters()).device
    features = {part: vectors.to(device) for part, vectors in split.features.items()}
    return np.array(scores_of(trained.model.score(features).float().cpu(), trained.loss))
