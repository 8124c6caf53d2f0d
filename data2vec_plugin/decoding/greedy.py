"""Greedy CTC decoding in batches, in the shape that ``fairseq-generate`` expects of a generator."""

from typing import Any, Dict, List, Optional

import torch
from fairseq.data import Dictionary
from torch import Tensor

Hypothesis = Dict[str, Any]


class GreedyCtcGenerator:
    """The best symbol of every frame, repeats merged, blanks dropped; several models vote by mean probability."""

    def __init__(self, dictionary: Dictionary, blank: int) -> None:
        self.pad = dictionary.pad()
        self.eos = dictionary.eos()
        self.blank = blank
        # fairseq strips these from what it prints: a blank is never among the tokens, but <s> is its symbol
        self.symbols_to_strip_from_output = {self.eos, self.blank}

    @torch.no_grad()
    def generate(
        self,
        models: List[Any],
        sample: Dict[str, Any],
        prefix_tokens: Optional[Tensor] = None,
        constraints: Optional[Tensor] = None,
        **kwargs: Any,
    ) -> List[List[Hypothesis]]:
        """One hypothesis for each row of ``sample``: ``tokens`` (N,), ``score``, ``positional_scores`` (N,), …

        ``score`` is the mean log-probability of the path's symbols (natural logarithm).
        """
        if prefix_tokens is not None or constraints is not None:
            raise ValueError("greedy CTC decoding knows neither `--prefix-size` nor `--constraints`; leave them out")
        for model in models:
            model.eval()
        outputs = [model(**sample["net_input"]) for model in models]
        log_probs = [model.get_normalized_probs(out, log_probs=True) for model, out in zip(models, outputs)]
        # (models, T, B, V) -> (T, B, V)
        mean = torch.stack([probs.float() for probs in log_probs]).logsumexp(0)
        scores, symbols = (mean - torch.tensor(len(models)).log()).max(-1)
        lengths = frame_lengths(outputs[0]["padding_mask"], symbols)
        return [[self._hypothesis(symbols[:length, row], scores[:length, row])] for row, length in enumerate(lengths)]

    def _hypothesis(self, symbols: Tensor, scores: Tensor) -> Hypothesis:
        """Collapse one row: (T,), (T,) -> hypothesis of N symbols, each with its first frame's score."""
        starts = torch.ones_like(symbols, dtype=torch.bool)
        starts[1:] = symbols[1:] != symbols[:-1]
        kept = starts & (symbols != self.blank)
        positional = scores[kept]
        return {
            "tokens": symbols[kept],
            "score": float(scores.mean()) if len(scores) else 0.0,
            "positional_scores": positional,
            "attention": None,
            "alignment": None,
            "frames": kept.nonzero().squeeze(1),
        }


def frame_lengths(padding_mask: Optional[Tensor], symbols: Tensor) -> List[int]:
    """Unpadded frames of each row: (B, T) or None, (T, B) -> B lengths."""
    if padding_mask is None:
        return [symbols.size(0)] * symbols.size(1)
    lengths: List[int] = (~padding_mask).sum(1).tolist()
    return lengths
