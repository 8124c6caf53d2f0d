"""Memes for fairseq: pictures, the text in them, and a label that is 0 or 1."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence

import numpy as np
import torch
from fairseq.data import FairseqDataset
from numpy.typing import NDArray
from torch import Tensor

from ...files.media.pictures import decode, read_picture
from ...files.multimodal.meme_lists import Meme, read_memes, text_beside
from ...files.unusable import UnusableFileError
from ..bad_files import BadFileError, BadFiles
from ..image.tree import ImageTree
from ..whole_epochs import AllBatches, CountedSamples, ShuffledEpoch

logger = logging.getLogger(__name__)

SIDECAR, TESSERACT, NONE = OCR = ("sidecar", "tesseract", "none")
IMAGE, TEXT = PARTS = ("image", "text")
SOME = 3


class MemeFileError(BadFileError):
    """A meme that cannot be used; the message names it."""


@dataclass(frozen=True)
class Memes:
    """The memes of a split, of the list or folder ``path``."""

    path: Path
    items: Sequence[Meme]

    @classmethod
    def of(cls, data: Path, split: str, positive: str = "") -> Memes:
        """Read DATA/SPLIT.tsv, or else the two class folders in DATA/SPLIT, of which ``positive`` has label 1.

        Raises UnusableFileError if neither can be used.
        """
        path, folder = data / f"{split}.tsv", data / split
        if folder.is_dir() and not path.is_file():
            return cls(folder, _of_classes(folder, positive))
        return cls(path, read_memes(path))

    @property
    def labels(self) -> NDArray[np.float32]:
        """Labels (N,), 0 or 1."""
        return np.array([meme.label for meme in self.items], dtype=np.float32)

    @property
    def captions(self) -> List[str]:
        """Texts, empty for memes without one."""
        return [meme.text or "" for meme in self.items]

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits of names, labels and texts, but not of the folder, which may move."""
        found = hashlib.sha256()
        for meme in self.items:
            found.update(f"{meme.picture.name}\t{meme.label}\t{meme.text or ''}\n".encode("utf-8", "surrogateescape"))
        return found.hexdigest()[:12]

    def with_texts(self, ocr: str, read: Optional[Callable[[Sequence[Path]], List[str]]] = None) -> Memes:
        """Return the memes with missing texts from ``read``, sidecar files, or empty; log how many are empty.

        Raises UnusableFileError for a sidecar file that is not text.
        """
        unread = [place for place, meme in enumerate(self.items) if meme.text is None]
        pictures = [self.items[place].picture for place in unread]
        texts: Sequence[Optional[str]] = [""] * len(pictures)
        if ocr != NONE:
            texts = read(pictures) if read is not None else [text_beside(picture) for picture in pictures]
        items = list(self.items)
        for place, text in zip(unread, texts):
            items[place] = replace(items[place], text=text)
        found = replace(self, items=items)
        found._tell_empty(ocr)
        return found

    def _tell_empty(self, ocr: str) -> None:
        lacking = [meme.picture.name for meme in self.items if meme.text is None]
        empty = sum(not meme.text for meme in self.items)
        if lacking:
            logger.warning(
                f"{self.path}: {len(lacking):,} of {len(self.items):,} images have no text file "
                f"({', '.join(lacking[:SOME])}); `task.ocr=tesseract` reads the text from the images"
            )
        logger.info(f"{self.path}: {len(self.items):,} memes, {empty:,} with an empty caption (`task.ocr` is {ocr})")


def _of_classes(folder: Path, positive: str) -> List[Meme]:
    tree = ImageTree(folder, labelled=True)
    classes, labels = list(tree.classes or ()), tree.labels
    if len(classes) != 2 or positive not in classes or labels is None:
        raise UnusableFileError.of(
            folder,
            f"has the class folders {', '.join(classes)}; expected two, and in `task.positive` the name of the one "
            f"with label 1; it is {positive!r}",
        )
    marked = labels == classes.index(positive)
    return [Meme(Path(tree.name(place)), int(mark)) for place, mark in enumerate(marked)]


class MemeDataset(ShuffledEpoch, AllBatches, CountedSamples, FairseqDataset):
    """Memes as pictures ``img`` (3, size, size) and captions; with ``shuffled``, in a new order in every epoch.

    Up to ``bad_limit`` unusable pictures are skipped, counted and named; one more raises :class:`MemeFileError`.
    Without a ``transform`` pictures are not read.
    """

    def __init__(
        self,
        memes: Memes,
        transform: Optional[Callable[[Any], Tensor]],
        seed: int = 1,
        shuffled: bool = False,
        bad_limit: int = 0,
    ) -> None:
        super().__init__(seed, shuffled)
        self.memes, self.transform = memes, transform
        self.labels, self.captions = memes.labels, memes.captions
        self.bad_files = BadFiles(len(memes.items), bad_limit, self.name_of, MemeFileError, "bad_image_limit")

    def __len__(self) -> int:
        return len(self.memes.items)

    def name_of(self, index: int) -> str:
        """Return the path of a meme's picture, for a message."""
        return str(self.memes.items[index].picture)

    def __getitem__(self, index: int) -> Dict[str, Any]:
        """``id``, ``caption`` and ``img``; only ``id`` for a skipped image."""
        sample: Dict[str, Any] = {"id": index, "caption": self.captions[index]}
        if self.transform is None:
            return sample
        try:
            picture = decode(read_picture(self.name_of(index)), self.name_of(index))
        except UnusableFileError as error:
            self.bad_files.leave_out(index, f"{error.fault}; replace it or remove it", error)
            return {"id": index}
        return {**sample, "img": self.transform(picture)}

    def collater(self, samples: List[Dict[str, Any]]) -> Dict[str, Any]:
        """Return ``net_input`` with ``captions`` and ``img`` (B, 3, size, size); empty if all were skipped."""
        samples = [sample for sample in samples if "caption" in sample]
        if not samples:
            return {}
        net_input: Dict[str, Any] = {"captions": [sample["caption"] for sample in samples]}
        if self.transform is not None:
            net_input["img"] = torch.stack([sample["img"] for sample in samples])
        return self.batch([sample["id"] for sample in samples], net_input)

    def batch(self, ids: List[int], net_input: Dict[str, Any]) -> Dict[str, Any]:
        """Return a batch in fairseq's format, with ``target`` (B,)."""
        target = torch.from_numpy(self.labels[np.array(ids)])
        counts = {"ntokens": len(ids), "nsentences": len(ids)}
        return {"id": torch.tensor(ids), "net_input": net_input, "target": target, **counts}
