"""Clips that nothing is known of but how they sound."""

from typing import Any, List

from fairseq.data import BaseWrapperDataset


class UnlabelledClips(BaseWrapperDataset):  # type: ignore[misc]
    """Clips without labels: fairseq-generate prints no T- lines for samples whose target is None."""

    def collater(self, samples: List[Any]) -> Any:
        """The clips' batch, without target."""
        batch = self.dataset.collater(samples)
        return {**batch, "target": None} if batch else batch
