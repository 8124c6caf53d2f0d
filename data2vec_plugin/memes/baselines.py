"""The same MLP on both parts, on images only, on captions only: trained the same way, so that they are comparable."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Dict, Iterator, List, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..criterions.meme_score import MSE, scores_of
from ..multimodal.meme_mlp import ScoreMLP, Standardizer
from .trained import Split


@dataclass(frozen=True)
class Fit:
    """How an MLP is trained: Adam, a fixed number of epochs, and the last epoch's weights, whatever their score."""

    hidden: int
    dropout: float
    loss: str
    epochs: int = 30
    batch: int = 25
    lr: float = 1e-3
    seed: int = 1

    def description(self) -> Dict[str, Any]:
        """The entry in a report."""
        return {**asdict(self), "optimizer": "adam", "checkpoint": "last epoch"}


def fitted_scores(train: Split, test: Split, parts: Sequence[str], fit: Fit) -> NDArray[np.float64]:
    """Scores (N,) on ``test`` of an MLP on the standardised features of ``parts``, trained on ``train``."""
    inputs, others = (torch.cat([split.features[part] for part in parts], dim=1) for split in (train, test))
    with torch.random.fork_rng(devices=[]), one_thread():
        torch.manual_seed(fit.seed)
        standardizer, classifier = Standardizer(inputs.size(1)), ScoreMLP(inputs.size(1), fit.hidden, fit.dropout)
        standardizer.follow(inputs)
        train_classifier(classifier, standardizer(inputs), torch.from_numpy(train.labels), fit)
    with torch.no_grad():
        return np.array(scores_of(classifier.eval()(standardizer(others)), fit.loss))


@contextmanager
def one_thread() -> Iterator[None]:
    """Use one thread: steps of such a small model take several times as long if threads wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def train_classifier(classifier: ScoreMLP, inputs: Tensor, labels: Tensor, fit: Fit) -> None:
    """Fit an MLP in place."""
    optimizer = torch.optim.Adam(classifier.parameters(), fit.lr)
    loss_of = F.mse_loss if fit.loss == MSE else F.binary_cross_entropy_with_logits
    classifier.train()
    for _ in range(fit.epochs):
        for rows in torch.randperm(len(inputs)).split(fit.batch):
            optimizer.zero_grad()
            loss_of(classifier(inputs[rows]), labels[rows]).backward()
            optimizer.step()


def subsets(parts: List[str]) -> Dict[str, List[str]]:
    """The combinations to train on: each part, and all together if there are several."""
    alone = {part: [part] for part in parts}
    return {"both": parts, **alone} if len(parts) > 1 else alone
