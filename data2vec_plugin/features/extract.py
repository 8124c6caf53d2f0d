"""The run of `data2vec features`: computes missing features, and keeps finished ones if it is interrupted."""

from __future__ import annotations

import signal
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

import torch

from ..checkpoints.encoder_checkpoint import Checkpoint, open_checkpoint
from ..core.model import Data2Vec
from ..files.locks import FolderLock
from ..files.skipped import tell_skipped
from .batches import Batch, Batching, batch_limit, batches
from .by_modality import described, prepare
from .encode import LAST, NONE, Wanted, check_pool, chosen_device, encode, model_device, parse_layers, taken_apart
from .items import Item, Reader
from .lists import read_items
from .settings import keep_settings
from .store import Store, open_store
from .text_files import Given


@dataclass(frozen=True)
class Job:
    """The user's request; see `data2vec features --help`."""

    checkpoint: Path
    input: Path
    out: Path
    layer: str = LAST
    pool: str = NONE
    format: str = "npy"
    half: bool = False
    teacher: bool = False
    batch: Optional[float] = None
    device: Optional[str] = None
    workers: int = 2
    bad_limit: int = 0
    root: Optional[Path] = None
    column: Optional[str] = None
    text: Given = field(default_factory=Given)
    truncate: bool = False
    modality: Optional[str] = None
    """Which modality of a checkpoint of several."""


@dataclass
class Progress:
    """The progress of a run."""

    skipped: Dict[str, str] = field(default_factory=dict)
    """Why an item has no features, by its location in the list."""
    frames: int = 0
    items: int = 0

    def bad(self, item: Item, reason: str) -> None:
        """Record a skipped item."""
        self.skipped[item.place] = reason


@dataclass(frozen=True)
class Opened:
    """A checkpoint's encoder, on its device, with the requested features."""

    checkpoint: Checkpoint
    model: Data2Vec
    reader: Reader
    wanted: Wanted
    batching: Batching


def extract(job: Job) -> int:
    """Compute the missing features; 1 if more items were skipped than ``bad_limit``.

    Raises ValueError for an unusable checkpoint, list or folder, or if another command is writing to the folder, before
    anything is written.
    """
    checkpoint = open_checkpoint(job.checkpoint).of(job.modality)
    items = read_items(job.input, checkpoint.modality, job.root, job.column)
    return extract_items(job, open_encoder(job, checkpoint), items)


def open_encoder(job: Job, checkpoint: Checkpoint) -> Opened:
    """Build the encoder; raises ValueError for options that it does not support."""
    beside = job.input if job.input.is_dir() else job.input.parent
    device = chosen_device(job.device)
    model, reader = prepare(checkpoint, job.teacher, beside, job.text, job.truncate)
    model.to(device)
    check_pool(job.pool, model, checkpoint.name)
    layers: Any = model.encoder.transformer.layers
    wanted = Wanted(parse_layers(job.layer, len(layers)), job.teacher, job.pool, job.half)
    if job.workers < 1:
        raise ValueError(f"`--workers` is {job.workers}; expected 1 or more")
    batching = Batching(batch_limit(job.batch, reader), model.config.reference_compat, job.workers)
    return Opened(checkpoint, model, reader, wanted, batching)


def extract_items(job: Job, opened: Opened, items: List[Item]) -> int:
    """The same for given ``items``."""
    with FolderLock(job.out):
        store = open_store(job.out, items, job.format, opened.wanted.pool != NONE)
        keep_settings(job.out, settings(job, opened))
        for line in described(opened.checkpoint, opened.reader):
            print(line)
        return make_missing(job, opened, store, items)


def make_missing(job: Job, opened: Opened, store: Store, items: List[Item]) -> int:
    """Write the missing features to the store; 1 if more items were skipped than ``job.bad_limit``."""
    pending = [item for item in items if not store.index.has(item)]
    progress = Progress()
    started = time.monotonic()
    try:
        with terminated_as_interrupted():
            found = batches(pending, opened.reader, opened.batching, progress.bad)
            for batch in shown(found, len(pending), progress):
                encode_batch(opened, batch, store, progress)
        store.finish()
    finally:
        store.close()
        report(job, opened.reader, progress, len(items), len(items) - len(pending), time.monotonic() - started)
    return 1 if len(progress.skipped) > job.bad_limit else 0


def shown(found: Iterator[Batch], total: int, progress: Progress) -> Iterator[Batch]:
    """The batches, with a progress bar that counts all items, good or bad."""
    from tqdm import tqdm

    with tqdm(total=total, unit="item", desc="features") as bar:
        for batch in found:
            yield batch
            bar.set_postfix(skipped=len(progress.skipped), refresh=False)
            bar.update(progress.items + len(progress.skipped) - bar.n)
        bar.update(progress.items + len(progress.skipped) - bar.n)


def encode_batch(opened: Opened, batch: Batch, store: Store, progress: Progress) -> None:
    """Write the features of one batch to the store; raises ValueError if the device runs out of memory."""
    model, reader, wanted = opened.model, opened.reader, opened.wanted
    try:
        outputs = encode(model, *reader.collate(batch.rows), wanted)
    except torch.cuda.OutOfMemoryError as error:
        longest = max(each.size for each in batch.inputs) / reader.sizes_per_unit
        raise ValueError(
            f"out of memory on {model_device(model)} with {len(batch.rows)} items of up to {longest:g} {reader.unit}, "
            f"the longest being {batch.inputs[0].item.place}; lower `--batch`, or remove such items"
        ) from error
    for each, (features, frames) in zip(batch.inputs, taken_apart(reader, batch.rows, outputs, wanted)):
        if not bool(torch.isfinite(features).all()):
            progress.bad(each.item, "its features are not finite" + ("; leave out --half" if wanted.half else ""))
            continue
        store.put(each.item, features.cpu().numpy(), frames)
        progress.items += 1
        progress.frames += frames


def settings(job: Job, opened: Opened) -> Dict[str, object]:
    """All settings that the features and their storage depend on."""
    checkpoint = opened.checkpoint
    layers = ",".join(LAST if layer is None else str(layer) for layer in opened.wanted.layers)
    return {
        "model": checkpoint.name,
        "weights": checkpoint.digest(job.teacher),
        "teacher": job.teacher,
        "layer": layers,
        "pool": job.pool,
        "format": job.format,
        "half": job.half,
        **opened.reader.settings(),
    }


def report(job: Job, reader: Reader, progress: Progress, total: int, before: int, seconds: float) -> None:
    """Print what the folder holds now and what is missing; the full list goes to skipped.tsv."""
    skipped = progress.skipped
    rate = progress.items / max(seconds, 1e-9)
    left = total - before - progress.items - len(skipped)
    print(
        f"{job.out}: {before + progress.items:,} of {total:,} items ({before:,} already there, {len(skipped):,} "
        f"skipped), {progress.frames:,} new frames, {rate:.1f} items/s"
    )
    if left:
        print(f"{left:,} items are left to do; run the same command again to continue", file=sys.stderr)
    for remark in reader.remarks():
        print(remark, file=sys.stderr)
    tell_skipped(job.out, skipped)


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM, which clusters send to end a job, act as Ctrl-C, so that results in memory are written."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
