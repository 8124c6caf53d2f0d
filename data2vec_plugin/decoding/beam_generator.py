"""Beam search with the interface of fairseq's generators; the encoder runs a few batches ahead of the search."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from typing import Any, Deque, Dict, Iterator, List, Optional, Tuple

from fairseq import utils
from fairseq.data import Dictionary
from torch import Tensor

from .decoded import Decoded
from .emissions import emissions_of
from .greedy import Hypothesis, hypothesis
from .processes import DecodingProcesses

AHEAD = 4
"""Recordings per process that may wait to be decoded: enough that no process is idle."""

Sample = Dict[str, Any]
Key = Tuple[int, ...]


class BatchesAhead:
    """An epoch's batches in order, some of which may be read ahead of their turn."""

    def __init__(self, batches: Any) -> None:
        self._size, self.n = len(batches), getattr(batches, "n", 0)
        self._batches: Iterator[Sample] = iter(batches)
        self._seen: Deque[Sample] = deque()

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Sample]:
        while self._seen or self.look_ahead() is not None:
            yield self._seen.popleft()

    def look_ahead(self) -> Optional[Sample]:
        """The next batch that has not been read ahead, and stays in its turn; None after the last."""
        sample = next(self._batches, None)
        if sample is not None:
            self._seen.append(sample)
        return sample


class GenerationBatches:
    """fairseq's epoch iterator for ``fairseq-generate``, whose batches a generator can read ahead."""

    batches: Optional[BatchesAhead] = None

    def __init__(self, iterator: Any) -> None:
        self._iterator = iterator

    def __getattr__(self, name: str) -> Any:
        return getattr(self._iterator, name)

    def next_epoch_itr(self, *args: Any, **kwargs: Any) -> BatchesAhead:
        """The batches of the next epoch."""
        self.batches = BatchesAhead(self._iterator.next_epoch_itr(*args, **kwargs))
        return self.batches


class BeamCtcGenerator:
    """Several hypotheses for each row; probabilities of several models are averaged.

    While a batch is decoded, the encoder processes the next ones from ``batches``; without ``batches`` it waits.
    """

    def __init__(
        self,
        dictionary: Dictionary,
        processes: DecodingProcesses,
        blank: int,
        summary: str,
        batches: Optional[BatchesAhead] = None,
    ) -> None:
        self.pad, self.eos = dictionary.pad(), dictionary.eos()
        self.symbols_to_strip_from_output = {self.eos, blank}
        self.summary = summary
        self.processes = processes
        self._batches = batches
        self._begun: Dict[Key, List[Future[List[Decoded]]]] = {}

    def generate(
        self,
        models: List[Any],
        sample: Sample,
        prefix_tokens: Optional[Tensor] = None,
        constraints: Optional[Tensor] = None,
        **kwargs: Any,
    ) -> List[List[Hypothesis]]:
        """Hypotheses for each row of ``sample``, best first; ``score`` is the sum maximised by beam search."""
        if prefix_tokens is not None or constraints is not None:
            raise ValueError("CTC decoding supports neither `--prefix-size` nor `--constraints`; leave them out")
        if key(sample) not in self._begun:
            self._begin(models, sample)
        while self._batches is not None and self._waiting() < AHEAD * self.processes.count:
            following = self._batches.look_ahead()
            if following is None:
                break
            if "net_input" in following:
                self._begin(models, following)
        found = [self.processes.result(each) for each in self._begun.pop(key(sample))]
        return [[hypothesis(decoded, decoded.score) for decoded in readings] for readings in found]

    def _begin(self, models: List[Any], sample: Sample) -> None:
        if next(models[0].parameters()).is_cuda:
            sample = utils.move_to_cuda(sample)
        self._begun[key(sample)] = [self.processes.submit(row) for row in emissions_of(models, sample)]

    def _waiting(self) -> int:
        return sum(not each.done() for futures in self._begun.values() for each in futures)


def key(sample: Sample) -> Key:
    """The key of a batch, also after it moved to another device: its rows' numbers."""
    return tuple(sample["id"].tolist())
