"""Binary classification of memes, pictures with captions: labels of 0 and 1, one score per meme."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
import torch
from fairseq.dataclass import FairseqDataclass
from fairseq.tasks import register_task
from numpy.typing import NDArray
from omegaconf import II, MISSING

from ..checkpoints.encoder_checkpoint import Checkpoint
from ..config_keys import key
from ..criterions.meme_metrics import best, smoothed
from ..data.first_process import first_process_first
from ..data.multimodal.meme_features import Arrays, MemeFeatureDataset, features_of, kept_features
from ..data.multimodal.meme_pictures import FITS, MIDDLE, MemePicture
from ..data.multimodal.memes import IMAGE, OCR, PARTS, SIDECAR, TESSERACT, TEXT, MemeDataset, Memes
from ..data.multimodal.ocr import OPTIONS, Tesseract
from ..data.resumable import ResumableIterator
from ..features.text_files import Given, find_text_files
from ..files.opening import read_bytes
from ..host.watching.task import Extent, WatchedTask
from ..interop.fairseq.text_v1 import vocabulary_size
from .empty_batches import EmptyBatches
from .images import require_packages
from .without_tokens import TaskWithoutTokens


@dataclass
class MemeClassificationConfig(FairseqDataclass):
    """Keys of `meme_classification`."""

    data: str = key(MISSING, "folder with, for each split, SPLIT.tsv or a folder SPLIT of two class folders")
    positive: str = key("", "name of the class folder whose images have label 1")
    input_size: int = key(224, "side of the square input image, in pixels")
    fit: str = key(MIDDLE, "how images are made square: middle (crop) or squash (published code)")
    ocr: str = key(SIDECAR, "source of captions missing in SPLIT.tsv: sidecar (PICTURE.ocr), tesseract or none")
    ocr_language: str = key("eng", "language of tesseract, such as eng+spa")
    ocr_options: str = key(OPTIONS, "of tesseract")
    ocr_cache: Optional[str] = key(None, "folder in which tesseract's output is cached (DATA/ocr)")
    feature_cache: Optional[str] = key(None, "folder in which features of frozen encoders are cached (DATA/features)")
    cache_features: bool = key(True, "compute features of frozen encoders once instead of in every epoch")
    smoothing: float = key(0.6, "smoothing of the accuracy over validations; 0: none")
    bad_image_limit: int = key(0, "number of unusable images that each process may skip; one more stops the run")
    dictionary: Optional[str] = key(
        None, "the caption encoder's dict.txt (default: next to its checkpoint, or from its training)"
    )
    sentencepiece: Optional[str] = key(None, "its SentencePiece model (default: spm.model next to dict.txt)")
    gpt2_bpe: Optional[str] = key(None, "its folder with encoder.json and vocab.bpe")
    symbols: bool = key(False, "captions are already split into the dictionary's symbols")
    cpu: bool = II("common.cpu")
    train_split: str = II("dataset.train_subset")
    seed: int = II("common.seed")


@register_task("meme_classification", dataclass=MemeClassificationConfig)
class MemeClassificationTask(EmptyBatches, WatchedTask, TaskWithoutTokens):
    """Data sets of :class:`MemeDataset` or, with frozen encoders, of features that are computed once."""

    cfg: MemeClassificationConfig
    memory_knobs = "lower `dataset.batch_size` (and raise `optimization.update_freq` to keep the batch)"

    def __init__(self, cfg: MemeClassificationConfig) -> None:
        check_values(cfg)
        super().__init__(cfg)
        self.model: Any = None
        self.parts: List[str] = list(PARTS)
        self.validated = ""

    def build_model(self, model_cfg: Any, from_checkpoint: bool = False) -> Any:
        """Build the model, whose parts decide what is loaded; raises ValueError if it requires another picture size."""
        model = super().build_model(model_cfg, from_checkpoint)
        self.parts = list(model.encoders)
        size = model.encoders[IMAGE].size if IMAGE in self.parts else self.cfg.input_size
        if size != self.cfg.input_size:
            raise ValueError(
                f"`task.input_size` is {self.cfg.input_size}, but the image encoder requires {size}; set "
                f"`task.input_size={size}`"
            )
        self.model = model
        return model

    def subword_files(self, checkpoint: Checkpoint) -> Tuple[str, Dict[str, bytes]]:
        """Return the kind of subwords of a pre-trained text encoder, and its dictionary and models by file name."""
        cfg = self.cfg
        named = [None if path is None else Path(path) for path in (cfg.dictionary, cfg.sentencepiece, cfg.gpt2_bpe)]
        given = Given(named[0], named[1], named[2], cfg.symbols)
        folders = [checkpoint.path.parent, Path(cfg.data)]
        found = find_text_files(given, checkpoint.task, folders, vocabulary_size(checkpoint.weights))
        names = {"sentencepiece": ["spm.model"]}.get(found.kind, [path.name for path in found.paths])
        files = dict(zip(names, map(read_bytes, found.paths)))
        return found.kind, {**files, "dict.txt": read_bytes(found.dictionary_path)}

    def tokenizer_files(self, folder: Path) -> Dict[str, bytes]:
        """Return the files of a Hugging Face tokenizer, by name."""
        names = ("vocab.txt", "tokenizer_config.json", "tokenizer.json", "special_tokens_map.json")
        return {name: read_bytes(folder / name) for name in names if (folder / name).is_file()}

    def load_dataset(self, split: str, task_cfg: Any = None, **kwargs: Any) -> None:
        """List a split's memes with their captions; with frozen encoders, compute their features."""
        dataset = self.memes(split)
        dataset.bad_files.report_at_exit()
        if self.model is not None and self.model.cfg.freeze and self.cfg.cache_features:
            dataset = self.encoded(dataset, split)
        self.datasets[split] = dataset

    def memes(self, split: str) -> MemeDataset:
        """Pictures and captions of a split."""
        cfg = self.cfg
        memes = Memes.of(Path(cfg.data), split, cfg.positive)
        if TEXT in self.parts:
            with first_process_first():
                memes = memes.with_texts(cfg.ocr, self.engine().texts if cfg.ocr == TESSERACT else None)
        transform = None
        if IMAGE in self.parts:
            require_packages()
            transform = MemePicture(cfg.input_size, cfg.fit)
        return MemeDataset(memes, transform, cfg.seed, split == cfg.train_split, cfg.bad_image_limit)

    def engine(self) -> Tesseract:
        """Return tesseract; raises ValueError if it is not installed."""
        cfg = self.cfg
        return Tesseract(Path(cfg.ocr_cache or Path(cfg.data) / "ocr"), cfg.ocr_language, cfg.ocr_options)

    def encoded(self, dataset: MemeDataset, split: str) -> MemeFeatureDataset:
        """Return a split as features; the training split sets the statistics of standardisation if there are none."""
        device = torch.device("cuda" if torch.cuda.is_available() and not self.cfg.cpu else "cpu")
        arrays = self.arrays(dataset, split, device)
        if split == self.cfg.train_split and self.model.wants_statistics:
            self.model.standardizer.follow(torch.cat([torch.from_numpy(arrays[part]) for part in self.parts], dim=1))
        return MemeFeatureDataset(dataset, arrays)

    def arrays(self, dataset: MemeDataset, split: str, device: torch.device) -> Arrays:
        """Features of a split, computed on a device or, for frozen encoders only, read from an earlier run."""
        encode = self.model.encoder_on(device)
        if not self.model.cfg.freeze:
            return features_of(dataset, encode)
        folder = Path(self.cfg.feature_cache or Path(self.cfg.data) / "features")
        name = f"{split}-{self.model.digest(dataset.memes.digest, self.cfg.fit)}"
        with first_process_first():
            return kept_features(folder, name, lambda: features_of(dataset, encode), self.parts)

    def post_validate(self, model: Any, stats: Dict[str, Any], agg: Any) -> None:
        """Add to the logged values the accuracy smoothed over all validations of a split, its best, and the factor."""
        if "accuracy" in stats:
            curve = model.validations.setdefault(self.validated, [])
            curve.append(float(stats["accuracy"]))
            smooth = smoothed(curve, self.cfg.smoothing)
            stats.update(accuracy_smoothed=round(smooth[-1], 4), accuracy_smoothed_best=round(best(smooth), 4))
            stats["smoothing"] = self.cfg.smoothing

    def extent(self, dataset: Any, indices: NDArray[np.int64]) -> Extent:
        """Memes in an epoch."""
        captioned = [bool(dataset.captions[index]) for index in indices]
        return Extent(len(captioned), "memes", sum(captioned), "captions")

    def get_batch_iterator(self, dataset: Any, *args: Any, **kwargs: Any) -> ResumableIterator:
        """fairseq's own iterator, which on resume refuses other memes than it was saved with."""
        self.validated = next((split for split, other in self.datasets.items() if other is dataset), "")
        iterator = super().get_batch_iterator(dataset, *args, **kwargs)
        return ResumableIterator(iterator, dataset.memes.path, dataset.memes.digest)


def check_values(cfg: MemeClassificationConfig) -> None:
    """Raise ValueError for an invalid value."""
    for name, known in (("ocr", OCR), ("fit", FITS)):
        if getattr(cfg, name) not in known:
            raise ValueError(f"`task.{name}` is {getattr(cfg, name)!r}; expected one of {', '.join(known)}")
    if not 0 <= cfg.smoothing < 1:
        raise ValueError(f"`task.smoothing` is {cfg.smoothing}; expected 0 or more, and less than 1 (0.6 is usual)")
    if cfg.bad_image_limit < 0 or cfg.input_size < 1:
        raise ValueError(
            f"`task.bad_image_limit` is {cfg.bad_image_limit}, `task.input_size` {cfg.input_size}; expected 0 or more, "
            f"1 or more"
        )
