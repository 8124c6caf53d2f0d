"""The encoders of a clip's streams, and their features by `data2vec features`, computed once per source."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from ..checkpoints.encoder_checkpoint import open_checkpoint
from ..core.model import Data2Vec
from ..features.encode import LAST, MEAN, NONE
from ..features.extract import Job, Opened, extract_items, open_encoder, settings
from ..features.items import Item
from ..features.lists import ENDINGS, mirrored, read_items, unique
from ..features.store import KeptFeatures
from ..features.text_files import Given
from ..files.multimodal.clip_tables import TEXT, Clip, ClipTable
from ..files.unusable import UnusableFileError
from ..multimodal.relations import MODALITIES

VISION, AUDIO = "vision", "audio"
KINDS = {VISION: "image", TEXT: "text", AUDIO: "speech"}
"""The modality of each stream's checkpoint."""
AUDIO_RATE = 10.0
Frames = NDArray[np.float32]


@dataclass(frozen=True)
class Wanted:
    """How features are computed: the encoder of each stream, a block, and the most frames of audio per second.

    An image is one frame, the mean over its patches, or with ``patches`` one frame for each patch.
    """

    encoders: Mapping[str, Path]
    layer: str = LAST
    teacher: bool = False
    audio_rate: float = AUDIO_RATE
    patches: bool = False
    text: Given = field(default_factory=Given)
    truncate: bool = False
    batch: Optional[float] = None
    device: Optional[str] = None
    bad_limit: int = 0


class Stream:
    """One modality: its encoder, and the store of its features."""

    def __init__(self, modality: str, wanted: Wanted, beside: Path, out: Path) -> None:
        self.modality = modality
        checkpoint = open_checkpoint(wanted.encoders[modality])
        if KINDS[modality] not in checkpoint.modalities:
            raise ValueError(
                f"`--{modality}` {checkpoint.path} reads {' and '.join(checkpoint.modalities)}; expected an encoder of "
                f"{KINDS[modality]}"
            )
        if "," in wanted.layer:
            raise ValueError(f"`--layer` is {wanted.layer!r}; expected one block")
        reads_text = modality == TEXT
        self.job = Job(
            checkpoint=checkpoint.path,
            input=beside,
            out=out / modality,
            layer=wanted.layer,
            pool=MEAN if modality == VISION and not wanted.patches else NONE,
            teacher=wanted.teacher,
            batch=wanted.batch,
            device=wanted.device,
            bad_limit=wanted.bad_limit,
            text=wanted.text if reads_text else Given(),
            truncate=wanted.truncate and reads_text,
        )
        self.opened: Opened = open_encoder(self.job, checkpoint.of(KINDS[modality]))
        self._pictures: Dict[str, List[Item]] = {}
        self.averaged = frames_averaged(self.opened.reader, wanted.audio_rate) if modality == AUDIO else 1

    @property
    def channels(self) -> int:
        """Number of channels of its features."""
        model: Data2Vec = self.opened.model
        return model.config.transformer.dim

    def settings(self) -> Dict[str, object]:
        """All settings that its frames depend on."""
        made: Dict[str, object] = settings(self.job, self.opened)
        return {**made, "frames_averaged": self.averaged}

    def items(self, table: ClipTable, clip: Clip) -> List[Item]:
        """The items of a clip's stream: images in order, or one text or recording; none if the stream is missing."""
        source = clip.sources.get(self.modality)
        if source is None:
            return []
        if self.modality == VISION:
            if source not in self._pictures:
                self._pictures[source] = frame_items(table, clip, source)
            return self._pictures[source]
        place = f"{table.path}:{clip.line}"
        if self.modality == TEXT:
            digest = hashlib.sha1(source.encode()).hexdigest()[:16]
            return [Item(digest, place, source, stamp=digest)]
        return [Item(mirrored(source, ENDINGS[KINDS[AUDIO]]), f"{place}: {source}", source)]

    def make(self, items: Sequence[Item]) -> bool:
        """Compute missing features; False if more items were bad than ``--bad-limit``."""
        found = unique(items)
        return not found or extract_items(self.job, self.opened, found) == 0

    def kept(self) -> KeptFeatures:
        """The computed features."""
        return KeptFeatures(self.job.out)

    def frames(self, kept: KeptFeatures, items: Sequence[Item]) -> Frames:
        """Frames (L, channels) of a clip; raises KeyError if an item turned out bad."""
        if self.modality == VISION:
            return np.concatenate([np.atleast_2d(kept[item.name]) for item in items])
        [rows] = [kept[item.name] for item in items]
        return rows[1:-1] if self.modality == TEXT else block_means(rows, self.averaged)


def frames_averaged(reader: Any, rate: float) -> int:
    """How many frames of a speech encoder are averaged into one, so that there are at most ``rate`` per second."""
    if not rate > 0:
        raise ValueError(f"`--audio-rate` is {rate:g}; expected frames per second, more than 0")
    stride = math.prod(stride for _, _, stride in reader.conv_layers)
    return max(math.ceil(reader.sizes_per_unit / stride / rate), 1)


def block_means(rows: Frames, size: int) -> Frames:
    """Means of blocks of ``size`` rows, the last block may be shorter: (L, channels) -> (ceil(L / size), channels).

    >>> block_means(np.array([[0.0], [2.0], [5.0]]), 2).tolist()
    [[1.0], [5.0]]
    """
    if size == 1:
        return rows
    starts = np.arange(0, len(rows), size)
    counts = np.diff([*starts, len(rows)])
    means: Frames = (np.add.reduceat(rows, starts) / counts[:, None]).astype(rows.dtype)
    return means


def frame_items(table: ClipTable, clip: Clip, source: str) -> List[Item]:
    """The images of a clip: a single image, those of a folder, or those of a list with one path per line.

    Raises UnusableFileError, naming the table's line, for a folder or a list that is missing or empty.
    """
    path, endings = Path(source), ENDINGS["image"]
    if path.suffix.lower() in endings:
        return [Item(mirrored(source, endings), f"{table.path}:{clip.line}: {source}", source)]
    listed = path.is_file() and path.suffix != ".tsv"
    try:
        items = read_items(path, "image", path.parent if listed else None)
    except ValueError as error:
        fault = str(error).replace("`--input`", "`vision`")
        raise UnusableFileError.of(table.path, fault, clip.line) from error
    return [Item(mirrored(item.source, endings), item.place, item.source) for item in items]


def open_streams(wanted: Wanted, modalities: Sequence[str], beside: Path, out: Path) -> Dict[str, Stream]:
    """The streams of ``modalities``; ``beside`` is a table, whose folder may hold the dictionary."""
    return {name: Stream(name, wanted, beside, out) for name in MODALITIES if name in modalities}


def items_of(stream: Stream, tables: Sequence[ClipTable]) -> Iterator[Item]:
    """All items of a stream."""
    for table in tables:
        for clip in table.clips:
            yield from stream.items(table, clip)
