"""Data sets of several modalities as one: each batch is of one of them, and says of which."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, NamedTuple, Tuple

from fairseq.data import FairseqDataset

ROUND = 1_000_000
"""Added to the epoch number in each further round of an epoch, for new random draws."""


class Sample(NamedTuple):
    """Sample of a modality, in one of the rounds in which an epoch goes through its data."""

    modality: str
    round: int
    sample: Dict[str, Any]


class SeveralModalitiesDataset(FairseqDataset):
    """The data sets by modality. A position encodes modality, sample and round; each round has new random draws.

    Random draws of a data set depend on its epoch, so each round gets its own epoch number.
    """

    def __init__(self, datasets: Mapping[str, Any]) -> None:
        super().__init__()
        self.datasets = dict(datasets)
        self.starts: Dict[str, int] = {}
        self.total = 0
        for name, dataset in self.datasets.items():
            self.starts[name] = self.total
            self.total += len(dataset)

    def __len__(self) -> int:
        return self.total

    def place(self, modality: str, index: int, turn: int = 0) -> int:
        """Return the position of a sample in a round."""
        return turn * self.total + self.starts[modality] + index

    def at(self, place: int) -> Tuple[str, int, int]:
        """Return modality, index and round of a position."""
        turn, rest = divmod(int(place), self.total)
        modality = [name for name, start in self.starts.items() if start <= rest and len(self.datasets[name])][-1]
        return modality, rest - self.starts[modality], turn

    def __getitem__(self, place: int) -> Sample:
        """A sample with its modality and its round."""
        modality, index, turn = self.at(place)
        return Sample(modality, turn, self.in_round(modality, turn)[index])

    def collater(self, samples: List[Sample]) -> Dict[str, Any]:
        """Return the batch of a modality, with its name as ``mode`` in ``net_input``.

        Raises ValueError for samples of several modalities.
        """
        if not samples:
            return {}
        ((modality, turn), *others) = {(sample.modality, sample.round) for sample in samples}
        if others:
            raise ValueError(
                f"a batch holds samples of {modality} and of {others[0][0]}; expected samples of one modality"
            )
        batch: Dict[str, Any] = self.in_round(modality, turn).collater([each.sample for each in samples])
        if batch:
            batch["net_input"]["mode"] = modality
        return batch

    def in_round(self, modality: str, turn: int) -> Any:
        """Return the data set of a modality, set to draw for a round."""
        dataset = self.datasets[modality]
        dataset.turn = turn * ROUND
        return dataset

    def set_epoch(self, epoch: int) -> None:
        """Called by fairseq's iterator before each epoch; seen by workers that run already."""
        for dataset in self.datasets.values():
            dataset.set_epoch(epoch)

    @property
    def supports_prefetch(self) -> bool:
        """Whether samples must be read beforehand."""
        return any(getattr(dataset, "supports_prefetch", False) for dataset in self.datasets.values())

    def prefetch(self, places: Any) -> None:
        """Read samples beforehand."""
        for name, dataset in self.datasets.items():
            if getattr(dataset, "supports_prefetch", False):
                dataset.prefetch(sorted({index for kind, index, _ in map(self.at, places) if kind == name}))
