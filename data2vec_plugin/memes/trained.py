"""A trained meme classifier out of its run's folder, and what its encoders make of a split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np
import torch
from fairseq import checkpoint_utils
from numpy.typing import NDArray
from torch import Tensor

from ..checkpoints.encoder import updates
from ..checkpoints.saved_file import read_checkpoint
from ..criterions.meme_score import scores_of
from ..data.multimodal.meme_features import IDS

BEST, LAST = "checkpoint_best.pt", "checkpoint_last.pt"
MODEL = "meme_classifier"


@dataclass(frozen=True)
class Trained:
    """A model in evaluation mode with its task; ``loss`` says what its output means."""

    path: Path
    model: Any
    task: Any
    loss: str
    num_updates: int

    @property
    def parts(self) -> List[str]:
        """What it looks at."""
        return list(self.model.encoders)


@dataclass(frozen=True)
class Split:
    """Vectors (N, D) of each part of a split's memes that can be used, with what is known of these."""

    name: str
    features: Dict[str, Tensor]
    labels: NDArray[np.float32]
    pictures: List[str]
    captions: List[str]
    left_out: int

    def __len__(self) -> int:
        return len(self.labels)


def checkpoint_of(run: Path) -> Path:
    """A checkpoint, or a run's best, or else its last; raises ValueError if there is none."""
    if run.is_file():
        return run
    found = [run / name for name in (BEST, LAST) if (run / name).is_file()]
    if not found:
        raise ValueError(f"{run} holds neither {BEST} nor {LAST}; give a run's folder, or a checkpoint")
    return found[0]


def load_trained(run: Path, data: Path, **task_keys: Any) -> Trained:
    """Read a run's model, to be used on ``data``; keys of its task that are not None replace those it was trained with.

    Raises ValueError for a checkpoint of another model.
    """
    path = checkpoint_of(run)
    state = read_checkpoint(path)
    cfg = state.get("cfg") or {}
    name = (cfg.get("model") or {}).get("_name")
    if name != MODEL:
        raise ValueError(f"{path} is of model `{name}`; expected `{MODEL}`, as `configs/meme_*.yaml` train it")
    overrides = {"data": str(data), **{key: value for key, value in task_keys.items() if value is not None}}
    models, saved, task = checkpoint_utils.load_model_ensemble_and_task([str(path)], arg_overrides=overrides)
    return Trained(path, models[0].eval(), task, str(saved.criterion.get("loss", "mse")), updates(state))


def encode_split(trained: Trained, name: str, device: torch.device) -> Split:
    """Features of a split, kept where its task keeps them if the encoders are frozen."""
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
