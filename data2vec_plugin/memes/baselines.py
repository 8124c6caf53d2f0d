"""The same MLP on both parts, on pictures alone, on captions alone: fitted alike, so that they can be compared."""

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
    """How an MLP is fitted: Adam, a fixed number of epochs, of which the last is taken, whatever it scores."""

    hidden: int
    dropout: float
    loss: str
    epochs: int = 30
    batch: int = 25
    lr: float = 1e-3
    seed: int = 1

    def told(self) -> Dict[str, Any]:
        """For a report."""
        return {**asdict(self), "optimizer": "adam", "checkpoint": "last epoch"}


def fitted_scores(train: Split, test: Split, parts: Sequence[str], fit: Fit) -> NDArray[np.float64]:
    """Scores (N,) on ``test`` by an MLP on the standardised features of ``parts``, fitted on ``train``."""
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
    """Steps of so small a model take several times as long where threads wait for each other."""
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
    """What is fitted: each part alone, and all together where there are several."""
    alone = {part: [part] for part in parts}
    return {"both": parts, **alone} if len(parts) > 1 else alone
