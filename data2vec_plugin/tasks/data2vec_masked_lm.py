"""Pre-training on text: fairseq's `masked_lm`, also from raw text, with reproducible masks and checks."""

from pathlib import Path
from typing import Any, List, Optional

import numpy as np
from fairseq import utils
from fairseq.data import Dictionary
from fairseq.tasks import register_task
from fairseq.tasks.masked_lm import MaskedLMTask
from numpy.typing import NDArray

from ..config_keys import errors_by_key
from ..core.masks.masking import BatchMasker
from ..core.masks.token_masking import TokenMasker
from ..data.first_process import first_process_first
from ..data.resumable import ResumableIterator
from ..data.sample_seeds import SampleSeeds
from ..data.text.binarised import KNOWN, binarised, with_ending
from ..data.text.blocks import blocks_digest, load_lines, text_blocks
from ..data.text.dictionary_file import load_dictionary
from ..data.text.masked import MaskedTextDataset
from ..data.text.subwords import GPT2_FILES, Gpt2Bpe, SentencePiece, Spaces, Subwords, word_starts
from ..data.text.whole_rows import VisibleTextDataset
from ..files.content import content_digest
from ..host.watching.task import Extent, WatchedTask
from ..modalities.text import TextConfig
from .empty_batches import EmptyBatches
from .multi.masks import check_trains, masks_of, method_of
from .text_config import MaskedTextConfig, check_supported, mask_config, name_of_subwords


@register_task("data2vec_masked_lm", dataclass=MaskedTextConfig)
class Data2VecMaskedLMTask(EmptyBatches, WatchedTask, MaskedLMTask):
    """Draws masks in the loader from (seed, epoch, sample id); reads SPLIT.bin, or SPLIT.txt, which it binarises."""

    cfg: MaskedTextConfig
    section = "task"
    """Key of this task's configuration, for messages."""
    memory_knobs = (
        "lower `dataset.batch_size` or `dataset.max_tokens` (and raise `optimization.update_freq` to keep the batch), "
        "or shorten the rows with `task.tokens_per_sample`"
    )

    def __init__(self, cfg: MaskedTextConfig, dictionary: Dictionary) -> None:
        cfg.bpe = name_of_subwords(cfg.bpe)
        check_supported(cfg)
        super().__init__(cfg, dictionary)
        self.masks = mask_config(cfg)
        self.model_masks: Optional[BatchMasker] = None
        self.seeds = SampleSeeds(cfg.seed)

    @classmethod
    def setup_task(cls, cfg: MaskedTextConfig, **kwargs: Any) -> "Data2VecMaskedLMTask":
        """Load DATA/dict.txt; raises ValueError if it is not there."""
        path = Path(utils.split_paths(cfg.data)[0]) / "dict.txt"
        if not path.is_file():
            raise ValueError(
                f"dictionary {path} does not exist; create it with `fairseq-preprocess` together with binaries, or "
                "with `data2vec subwords` for raw text"
            )
        return cls(cfg, load_dictionary(path))

    def build_model(self, model_cfg: Any, from_checkpoint: bool = False) -> Any:
        """Build the model; raises ValueError for settings that cannot pre-train."""
        model = super().build_model(model_cfg, from_checkpoint)
        if isinstance(getattr(model, "text", None), TextConfig) and not from_checkpoint:
            with errors_by_key(model.keys):
                model.config.check_targets()
        if method_of(model, "TEXT") is not None:
            return self.learn_masks(model, check=not from_checkpoint)
        if self.cfg.d2v2_multi and not from_checkpoint:
            raise ValueError("`task.d2v2_multi` is true, but the model is not data2vec_multi; expected false")
        return model

    def learn_masks(self, model: Any, check: bool) -> Any:
        """Read the masks of a data2vec 2.0 model; raises ValueError for settings that cannot train, if ``check``."""
        if check:
            check_trains(model, "TEXT")
        self.model_masks = masks_of(model, "TEXT", self.seeds, None, self.section)
        return model

    def load_dataset(self, split: str, epoch: int = 1, combine: bool = False, **kwargs: Any) -> None:
        """Read SPLIT; several folders in `task.data` take turns by epoch."""
        folders = utils.split_paths(self.cfg.data)
        source = Path(folders[(epoch - 1) % len(folders)]) / split
        encoder: Optional[Subwords] = None
        prefix = source
        text = with_ending(source, ".txt")
        if text.is_file() and not with_ending(source, ".idx").is_file():
            encoder = self.subwords(source.parent)
            prefix = self._binarised(text, encoder)
        elif self.cfg.mask_whole_words:
            encoder = self.subwords(source.parent)
        lines = load_lines(prefix, self.source_dictionary, source, combine)
        blocks = text_blocks(lines, split, self.cfg, self.source_dictionary, source)
        if self.model_masks is not None or self.cfg.d2v2_multi:
            self.datasets[split] = VisibleTextDataset(
                blocks, self.model_masks, self.source_dictionary.pad(), self.seeds
            )
            return
        masker = TokenMasker(self.masks, self.mask_idx, self.replacements(), self._word_starts(encoder))
        self.datasets[split] = MaskedTextDataset(blocks, masker, self.source_dictionary.pad(), self.seeds)

    def _binarised(self, text: Path, encoder: Subwords) -> Path:
        """Return the binaries of a raw text; the first of several processes creates them."""
        folder = Path(self.cfg.binarised_dir or text.parent / "binarised")
        settings = self._subword_settings(text.parent, folder)
        with first_process_first():
            return binarised(text, encoder, self.source_dictionary, folder, settings, self.cfg.encode_workers)

    def subwords(self, folder: Path) -> Subwords:
        """Return the subword encoder named by `task.bpe`; its files are in ``folder`` unless keys name others."""
        paths = self._subword_files(folder)
        if self.cfg.bpe == "sentencepiece":
            return SentencePiece(*paths)
        return Gpt2Bpe(*paths) if self.cfg.bpe == "gpt2" else Spaces()

    def hub_subwords(self) -> Subwords:
        """The subword encoder for fairseq's hub interface: as in training, or with the files in `task.data` if the
        original ones are gone. Raises ValueError if neither exist.
        """
        for name in ("sentencepiece_model", "gpt2_encoder_json", "gpt2_vocab_bpe"):
            path = getattr(self.cfg, name)
            if path and not Path(path).is_file():
                setattr(self.cfg, name, None)
        return self.subwords(Path(utils.split_paths(self.cfg.data)[0]))

    def _subword_files(self, folder: Path) -> List[Path]:
        cfg = self.cfg
        if cfg.bpe == "sentencepiece":
            return [Path(cfg.sentencepiece_model or folder / "spm.model")]
        if cfg.bpe == "gpt2":
            encoder_json, vocab_bpe = (folder / name for name in GPT2_FILES)
            return [Path(cfg.gpt2_encoder_json or encoder_json), Path(cfg.gpt2_vocab_bpe or vocab_bpe)]
        return []

    def _subword_settings(self, folder: Path, binaries: Path) -> str:
        """Describe how lines are split: the kind of subwords, and digests of their files."""
        return " ".join(
            [self.cfg.bpe, *(content_digest(path, binaries / KNOWN) for path in self._subword_files(folder))]
        )

    def replacements(self) -> "np.ndarray":
        """Return the odds (V,) of every symbol to replace a hidden one: equal, or as counted in the dictionary.

        Raises ValueError if replacements are needed and all odds are 0.
        """
        dictionary = self.source_dictionary
        odds = np.array(dictionary.count if self.cfg.freq_weighted_replacement else [1] * len(dictionary), dtype=float)
        odds[: dictionary.nspecial] = 0
        odds[self.mask_idx] = 0
        if self.masks.random > 0 and not odds.sum() > 0:
            raise ValueError(
                "no symbol can replace a hidden one, because all counts in dict.txt are 0; set "
                "`+task.freq_weighted_replacement=false`, or `task.random_token_prob=0`"
            )
        return odds

    def _word_starts(self, encoder: Optional[Subwords]) -> Optional["np.ndarray"]:
        if not self.cfg.mask_whole_words or encoder is None:
            return None
        return word_starts(self.source_dictionary, encoder)

    def extent(self, dataset: Any, indices: NDArray[np.int64]) -> Extent:
        """Tokens in an epoch."""
        return Extent(float(dataset.sizes[indices].sum()), "tokens", len(indices), "blocks")

    def get_batch_iterator(self, dataset: Any, *args: Any, **kwargs: Any) -> ResumableIterator:
        """fairseq's own iterator, which on resume refuses another text than it was saved with."""
        iterator = super().get_batch_iterator(dataset, *args, **kwargs)
        digest = blocks_digest(dataset.sizes, self.source_dictionary)
        take_turns = len(utils.split_paths(self.cfg.data)) > 1
        return ResumableIterator(iterator, Path(self.cfg.data), digest, take_turns, self.seeds)
