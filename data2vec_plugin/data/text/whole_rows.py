"""Text for data2vec 2.0: unmasked blocks of tokens, with masks that depend on (seed, epoch, sample id, copy)."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

import torch

from ...core.masks.masking import BatchMasker
from ...modalities.feature_extractor import lengths_to_padding
from ..sample_seeds import SampleSeeds
from .masked import TextBlocks


class VisibleTextDataset(TextBlocks):
    """Unmasked blocks, of which the model encodes the visible tokens; without ``masks`` the model draws them."""

    def __init__(self, blocks: Any, masks: Optional[BatchMasker], pad: int, seeds: SampleSeeds) -> None:
        super().__init__(blocks, pad, seeds)
        self.masks = masks

    def __getitem__(self, index: int) -> Dict[str, Any]:
        """``id`` and the ``source`` (T,)."""
        return {"id": index, "source": self.blocks[index]}

    def collater(self, samples: List[Dict[str, Any]]) -> Dict[str, Any]:
        """Pad to one length: ``source`` (B, T), ``padding_mask`` if lengths differ, ``mask`` of every row's copies."""
        if not samples:
            return {}
        ids = [int(sample["id"]) for sample in samples]
        lengths = [len(sample["source"]) for sample in samples]
        width = max(lengths)
        source = torch.full((len(samples), width), self.pad)
        for row, (sample, length) in enumerate(zip(samples, lengths)):
            source[row, :length] = sample["source"]
        net_input: Dict[str, Any] = {"source": source, "id": torch.tensor(ids)}
        if min(lengths) < width:
            net_input["padding_mask"] = lengths_to_padding(torch.tensor(lengths), width)
        if self.masks is not None:
            rngs = self.seeds.of_masks(self.epoch, ids, self.masks.copies)
            net_input["mask"] = self.masks.draw(lengths, rngs).as_dict()
        return {"id": torch.tensor(ids), "net_input": net_input, "ntokens": sum(lengths), "nsentences": len(ids)}
