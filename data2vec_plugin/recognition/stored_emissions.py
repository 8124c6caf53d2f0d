"""Emissions of a split, computed once and stored, so that many ways of decoding can be tried."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Iterator, List

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from ..data.audio.clips import rate_fault
from ..files.arrays import LARGEST, read_arrays, write_arrays
from ..files.media.audio import read_samples
from ..files.text.manifests import Entry, check_manifest, manifest_digest, manifest_root
from ..files.unusable import UnusableFileError
from .recogniser import Recogniser

FILE = "emissions.npz"
SECONDS = 60
"""Audio per batch."""


def emissions_of_split(recogniser: Recogniser, manifest: Path, folder: Path) -> List[Tensor]:
    """Emissions (T_i, V) of each clip of a manifest, in its order: read from the folder, or computed and stored there.

    Emissions of another model or manifest in the folder are replaced. Raises :class:`UnusableFileError` for a clip
    that cannot be read, has another sample rate, or is too short for a frame.
    """
    stored = folder / FILE
    digest = f"{recogniser.digest} {manifest_digest(manifest)}"
    if stored.is_file():
        arrays = read_arrays(stored)
        if str(arrays.get("digest")) == digest:
            print(f"{stored}: emissions of {len(arrays['frames']):,} clips, computed before")
            return list(torch.from_numpy(arrays["emissions"]).split(arrays["frames"].tolist()))
    rows = compute(recogniser, manifest)
    values = torch.cat(rows).numpy()
    if values.nbytes < LARGEST:
        frames = np.array([len(row) for row in rows])
        write_arrays(stored, {"digest": np.array(digest), "frames": frames, "emissions": values})
    else:
        print(
            f"{stored} is not written: {values.nbytes / 1e9:.1f} GB is too much to store; the emissions are used once"
        )
    return rows


def compute(recogniser: Recogniser, manifest: Path) -> List[Tensor]:
    """Emissions of each clip, with progress."""
    entries = check_manifest(manifest)
    found: Dict[int, Tensor] = {}
    with tqdm(total=len(entries), unit="clip", desc="emissions", disable=None) as bar:
        for group in groups(entries, SECONDS * recogniser.sample_rate):
            clips = [clip_of(recogniser, manifest, entry) for entry in group]
            for entry, row in zip(group, recogniser.emissions(clips)):
                found[entry.line] = row
            bar.update(len(group))
    return [found[entry.line] for entry in entries]


def groups(entries: List[Entry], most: int) -> Iterator[List[Entry]]:
    """Batches of clips of similar length, of up to ``most`` samples with padding."""
    group: List[Entry] = []
    for entry in sorted(entries, key=lambda each: -each.frames):
        if group and group[0].frames * (len(group) + 1) > most:
            yield group
            group = []
        group.append(entry)
    if group:
        yield group


def clip_of(recogniser: Recogniser, manifest: Path, entry: Entry) -> NDArray[np.float32]:
    """Samples of a clip, mono."""
    samples, rate = read_samples(str(manifest_root(manifest) / entry.path))
    if rate != recogniser.sample_rate:
        fault = rate_fault(rate, recogniser.sample_rate)
        raise UnusableFileError.of(manifest, f"{entry.path} has {fault}", entry.line)
    if len(samples) < recogniser.shortest:
        fault = f"{entry.path} has {len(samples)} samples; expected at least {recogniser.shortest}: remove the line"
        raise UnusableFileError.of(manifest, fault, entry.line)
    mean: NDArray[np.float32] = samples.mean(1, dtype=np.float32)
    return mean
