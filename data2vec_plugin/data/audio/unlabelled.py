"""Clips without labels."""

from typing import Any, List

from fairseq.data import BaseWrapperDataset


class UnlabelledClips(BaseWrapperDataset):  # type: ignore[misc]
    """Clips whose target is None, for which fairseq-generate prints no T- lines."""

    def collater(self, samples: List[Any]) -> Any:
        """Return the clips' batch with None as its ``target``."""
        batch = self.dataset.collater(samples)
        return {**batch, "target": None} if batch else batch
