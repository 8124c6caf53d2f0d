"""Text for pre-training: blocks of tokens whose masks follow (seed, epoch, sample id)."""

from __future__ import annotations

from typing import Any, Dict, List

import numpy as np
import torch
from fairseq.data import FairseqDataset
from numpy.typing import NDArray
from torch import Tensor

from ...core.masks.mask import Mask
from ...core.masks.token_masking import TokenMasker
from ..sample_seeds import SampleSeeds
from ..whole_epochs import AllBatches, SharedEpoch


class TextBlocks(SharedEpoch, AllBatches, FairseqDataset):
    """Blocks (T,) of ids, as fairseq's datasets give them."""

    def __init__(self, blocks: Any, pad: int, seeds: SampleSeeds) -> None:
        super().__init__()
        self.blocks = blocks
        self.pad = pad
        self.seeds = seeds
        self.sizes: NDArray[np.int64] = np.asarray(blocks.sizes)

    def __len__(self) -> int:
        return len(self.blocks)

    def num_tokens(self, index: int) -> int:
        """Tokens of a block."""
        return int(self.sizes[index])

    def num_tokens_vec(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Tokens of many blocks."""
        return self.sizes[indices]

    def size(self, index: int) -> int:
        """Tokens of a block, which fairseq compares with the model's positions."""
        return int(self.sizes[index])

    def ordered_indices(self) -> NDArray[np.int64]:
        """Blocks of like length together, in an order drawn from the seed."""
        shuffled = np.random.default_rng(self.seeds.seed).permutation(len(self))
        return shuffled[np.argsort(self.sizes[shuffled], kind="stable")]

    @property
    def supports_prefetch(self) -> bool:
        """Whether the blocks must be read beforehand, as those of fairseq's older binaries; others are mapped."""
        return bool(getattr(self.blocks, "supports_prefetch", False))

    def prefetch(self, indices: Any) -> None:
        """Read blocks beforehand."""
        self.blocks.prefetch(indices)


class MaskedTextDataset(TextBlocks):
    """Blocks masked in the loader.

    What is hidden depends neither on the batch nor on the worker nor on how often the run was interrupted.
    """

    def __init__(self, blocks: Any, masker: TokenMasker, pad: int, seeds: SampleSeeds) -> None:
        super().__init__(blocks, pad, seeds)
        self.masker = masker

    def __getitem__(self, index: int) -> Dict[str, Any]:
        """``id``, the ``whole`` block (T,), what the student sees of it and what is ``hidden``, bool (T,)."""
        whole: Tensor = self.blocks[index]
        seen, hidden = self.masker.sample(whole.numpy(), self.seeds.of_mask(self.epoch, index))
        return {"id": index, "whole": whole, "seen": torch.from_numpy(seen), "hidden": torch.from_numpy(hidden)}

    def collater(self, samples: List[Dict[str, Any]]) -> Dict[str, Any]:
        """Pad to one length: ``src_tokens``, ``target_tokens`` (B, T), ``mask`` as :meth:`Mask.as_dict` has it."""
        if not samples:
            return {}
        lengths = [len(sample["whole"]) for sample in samples]
        width = max(lengths)
        seen, whole = (torch.full((len(samples), width), self.pad) for _ in range(2))
        hidden = np.zeros((len(samples), width), dtype=bool)
        for row, (sample, length) in enumerate(zip(samples, lengths)):
            seen[row, :length], whole[row, :length] = sample["seen"], sample["whole"]
            hidden[row, :length] = sample["hidden"]
        net_input = {
            "src_tokens": seen,
            "target_tokens": whole,
            "mask": Mask.of_rows(hidden).as_dict(),
            "padded": min(lengths) < width,
        }
        ids = torch.tensor([sample["id"] for sample in samples])
        return {"id": ids, "net_input": net_input, "ntokens": sum(lengths), "nsentences": len(samples)}
