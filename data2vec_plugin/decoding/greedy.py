"""Greedy CTC decoding, and its generator for ``fairseq-generate``."""

from typing import Any, Dict, List, Optional

import torch
from fairseq.data import Dictionary
from torch import Tensor

from .decoded import Decoded, runs
from .emissions import emissions_of

Hypothesis = Dict[str, Any]


class GreedyCtcDecoder:
    """The best symbol of every frame, repeats merged, blanks dropped."""

    def __init__(self, blank: int) -> None:
        self.blank = blank

    def decode(self, emissions: Tensor) -> List[Decoded]:
        """The best path through ``emissions``, (T, V) log-probabilities; ``score`` is the sum over all its frames."""
        scores, symbols = emissions.max(-1)
        kept = [run for run in runs(symbols.tolist()) if run[0] != self.blank]
        of_frames = scores.tolist()
        return [
            Decoded(
                tokens=[symbol for symbol, _, _ in kept],
                frames=[start for _, start, _ in kept],
                ends=[end for _, _, end in kept],
                scores=[of_frames[start] for _, start, _ in kept],
                score=float(scores.sum()),
            )
        ]


class GreedyCtcGenerator:
    """Greedy decoding in batches, as a fairseq generator; probabilities of several models are averaged."""

    summary = "greedy decoding"

    def __init__(self, dictionary: Dictionary, blank: int) -> None:
        self.pad = dictionary.pad()
        self.eos = dictionary.eos()
        self.decoder = GreedyCtcDecoder(blank)
        # fairseq strips these from what it prints: a blank is never among the tokens, but <s> is its symbol
        self.symbols_to_strip_from_output = {self.eos, blank}

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
            raise ValueError("greedy CTC decoding supports neither `--prefix-size` nor `--constraints`; leave them out")
        rows = emissions_of(models, sample)
        read = [(self.decoder.decode(row)[0], len(row)) for row in rows]
        return [[hypothesis(decoded, decoded.score / max(length, 1))] for decoded, length in read]


def hypothesis(decoded: Decoded, score: float) -> Hypothesis:
    """A hypothesis in the form that ``fairseq-generate`` prints."""
    return {
        "tokens": torch.tensor(decoded.tokens, dtype=torch.long),
        "score": score,
        "positional_scores": torch.tensor(decoded.scores, dtype=torch.float),
        "attention": None,
        "alignment": None,
        "frames": torch.tensor(decoded.frames, dtype=torch.long),
    }
