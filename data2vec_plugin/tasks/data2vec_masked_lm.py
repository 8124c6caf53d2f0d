"""Pre-training on text: fairseq's `masked_lm`, also from raw text, with reproducible masks and checks."""

import os
from pathlib import Path
from typing import Any, Optional

import numpy as np
import torch
from fairseq import utils
from fairseq.data import Dictionary
from fairseq.tasks import register_task
from fairseq.tasks.masked_lm import MaskedLMTask

from ..core.token_masking import TokenMasker
from ..data.binarised_text import binarised
from ..data.masked_text import MaskedTextDataset
from ..data.resumable import ResumableIterator
from ..data.subwords import Spaces, Subwords, gpt2, sentencepiece, word_starts
from ..data.text_blocks import blocks_digest, load_lines, text_blocks
from ..modalities.text import TextData2Vec
from ..watch.task import Extent, WatchedTask
from .text_config import MaskedTextConfig, check_supported, mask_config


@register_task("data2vec_masked_lm", dataclass=MaskedTextConfig)
class Data2VecMaskedLMTask(WatchedTask, MaskedLMTask):
    """Masks in the loader from (seed, epoch, sample id); reads SPLIT.bin, or SPLIT.txt by subwords on the fly."""

    cfg: MaskedTextConfig

    def __init__(self, cfg: MaskedTextConfig, dictionary: Dictionary) -> None:
        check_supported(cfg)
        super().__init__(cfg, dictionary)
        self.masks = mask_config(cfg)

    @classmethod
    def setup_task(cls, cfg: MaskedTextConfig, **kwargs: Any) -> "Data2VecMaskedLMTask":
        """Load DATA/dict.txt; raises ValueError if it is not there."""
        path = Path(utils.split_paths(cfg.data)[0]) / "dict.txt"
        if not path.is_file():
            raise ValueError(
                f"dictionary {path} does not exist; `fairseq-preprocess` writes it with its binaries, "
                f"`data2vec subwords` for raw text"
            )
        return cls(cfg, Dictionary.load(str(path)))

    def build_model(self, model_cfg: Any, from_checkpoint: bool = False) -> Any:
        """Build the model; raises ValueError for settings that cannot pre-train."""
        model = super().build_model(model_cfg, from_checkpoint)
        if isinstance(model, TextData2Vec) and not from_checkpoint:
            model.config.check_targets()
        return model

    def load_dataset(self, split: str, epoch: int = 1, combine: bool = False, **kwargs: Any) -> None:
        """Read SPLIT; of several folders in `task.data` the epoch's, in turn."""
        folders = utils.split_paths(self.cfg.data)
        source = Path(folders[(epoch - 1) % len(folders)]) / split
        encoder: Optional[Subwords] = None
        prefix = source
        if not source.with_suffix(".idx").is_file() and source.with_suffix(".txt").is_file():
            encoder = self.subwords(source.parent)
            prefix = self._binarised(source.with_suffix(".txt"), encoder)
        elif self.cfg.mask_whole_words:
            encoder = self.subwords(source.parent)
        lines = load_lines(prefix, self.source_dictionary, source, combine)
        blocks = text_blocks(lines, split, self.cfg, self.source_dictionary, source)
        masker = TokenMasker(self.masks, self.mask_idx, self.replacements(), self._word_starts(encoder))
        self.datasets[split] = MaskedTextDataset(blocks, masker, self.source_dictionary.pad(), self.cfg.seed)

    def _binarised(self, text: Path, encoder: Subwords) -> Path:
        """Binaries of a raw text; of several processes the first makes them."""
        folder = Path(self.cfg.binarised_dir or text.parent / "binarised")
        arguments = (text, encoder, self.source_dictionary, folder, self._subword_settings(text.parent))
        together = torch.distributed.is_available() and torch.distributed.is_initialized()
        if not together:
            return binarised(*arguments, self.cfg.encode_workers)
        if torch.distributed.get_rank() == 0:
            binarised(*arguments, self.cfg.encode_workers)
        torch.distributed.barrier()
        return binarised(*arguments, self.cfg.encode_workers)

    def subwords(self, folder: Path) -> Subwords:
        """The encoder that `task.bpe` names; its files are `folder`'s unless others are given."""
        if self.cfg.bpe == "sentencepiece":
            return sentencepiece(self.cfg.sentencepiece_model or str(folder / "spm.model"))
        if self.cfg.bpe == "gpt2":
            return gpt2(
                self.cfg.gpt2_encoder_json or str(folder / "encoder.json"),
                self.cfg.gpt2_vocab_bpe or str(folder / "vocab.bpe"),
            )
        return Spaces()

    def _subword_settings(self, folder: Path) -> str:
        cfg = self.cfg
        given = [cfg.sentencepiece_model, cfg.gpt2_encoder_json, cfg.gpt2_vocab_bpe]
        paths = [path for path in (*given, *map(str, (folder / "spm.model", folder / "vocab.bpe"))) if path]
        known = [f"{path}:{os.path.getsize(path)}:{os.path.getmtime(path)}" for path in paths if os.path.isfile(path)]
        return " ".join([cfg.bpe, *known])

    def replacements(self) -> "np.ndarray":
        """Odds of every symbol to replace a hidden one (V,): alike, or as frequent as in the dictionary's count."""
        dictionary = self.source_dictionary
        odds = np.array(dictionary.count if self.cfg.freq_weighted_replacement else [1] * len(dictionary), dtype=float)
        odds[: dictionary.nspecial] = 0
        odds[self.mask_idx] = 0
        return odds

    def _word_starts(self, encoder: Optional[Subwords]) -> Optional["np.ndarray"]:
        if not self.cfg.mask_whole_words or encoder is None:
            return None
        return word_starts(self.source_dictionary, encoder)

    def extent(self, dataset: Any) -> Extent:
        """Tokens in an epoch."""
        return Extent(float(dataset.sizes.sum()), "tokens", len(dataset), "blocks")

    def get_batch_iterator(self, dataset: Any, *args: Any, **kwargs: Any) -> ResumableIterator:
        """fairseq's own iterator, which on resume refuses another text than it was saved with."""
        iterator = super().get_batch_iterator(dataset, *args, **kwargs)
        digest = blocks_digest(dataset.sizes, self.source_dictionary)
        return ResumableIterator(iterator, Path(self.cfg.data), digest)
