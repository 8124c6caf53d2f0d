"""Emissions of a batch: CTC log-probabilities of each frame, without padding."""

from typing import Any, Dict, List, Optional

import torch
from torch import Tensor


@torch.no_grad()
def emissions_of(models: List[Any], sample: Dict[str, Any]) -> List[Tensor]:
    """Log-probabilities of each row of a sample: B tensors (T_i, V), float32, on the CPU.

    Probabilities of several models are averaged.
    """
    for model in models:
        model.eval()
    outputs = [model(**sample["net_input"]) for model in models]
    log_probs = [model.get_normalized_probs(out, log_probs=True) for model, out in zip(models, outputs)]
    # (models, T, B, V) -> (T, B, V)
    mean = torch.stack([probs.float() for probs in log_probs]).logsumexp(0) - torch.tensor(len(models)).log()
    lengths = frame_lengths(outputs[0]["padding_mask"], mean)
    rows = mean.transpose(0, 1).cpu()
    return [row[:length] for row, length in zip(rows, lengths)]


def frame_lengths(padding_mask: Optional[Tensor], emissions: Tensor) -> List[int]:
    """Unpadded frames of each row: (B, T) or None, (T, B, V) -> B lengths."""
    if padding_mask is None:
        return [emissions.size(0)] * emissions.size(1)
    lengths: List[int] = (~padding_mask).sum(1).tolist()
    return lengths
