"""JapaneseVowels as unaligned sequences: real speech, split into three streams with different frame rates.

Nine speakers say two vowels: 270 utterances for training, 370 for testing, of 7 to 29 frames of 12 cepstra. Cepstra
0 to 3 become `vision` and keep every frame, 4 to 7 `text` with every second, 8 to 11 `audio` with every third; the
label is the speaker. The recordings are in the package aeon, of which nothing else is used:

    pip install --no-deps aeon
    python examples/mtag/vowel_streams.py --out outputs/japanese-vowels/data
"""

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data2vec_plugin.files.arrays import write_arrays
from data2vec_plugin.files.multimodal.sequences import MODALITIES, write_samples
from data2vec_plugin.files.text.text_lines import read_lines
from data2vec_plugin.files.writing import write_atomically

SPLITS = {"train": ("TRAIN", 270), "test": ("TEST", 370)}
CEPSTRA, EACH = 12, 4
Utterance = NDArray[np.float32]


def recordings() -> Path:
    """The folder of the recordings; raises ValueError with the command if aeon is not installed."""
    found = find_spec("aeon")
    if found is None or not found.submodule_search_locations:
        raise ValueError("the recordings require aeon: pip install --no-deps aeon")
    return Path(next(iter(found.submodule_search_locations))) / "datasets" / "data" / "JapaneseVowels"


def read_utterances(path: Path) -> list[tuple[Utterance, int]]:
    """Cepstra (frames, 12) and the number of the speaker, from 0, of every line after `@data`."""
    lines = read_lines(path)
    begin = next(number for number, line in enumerate(lines) if line.strip().lower() == "@data")
    found = []
    for line in lines[begin + 1 :]:
        *channels, speaker = line.split(":")
        frames = np.array([channel.split(",") for channel in channels], dtype=np.float32).T
        if frames.shape[1] != CEPSTRA:
            raise ValueError(f"{path} has {frames.shape[1]} channels in a line; expected {CEPSTRA}")
        found.append((frames, int(speaker) - 1))
    return found


def streams(utterance: Utterance) -> dict[str, Utterance]:
    """The three streams: four cepstra each, at the full rate, a half and a third of it."""
    parts = np.split(utterance, range(EACH, CEPSTRA, EACH), axis=1)
    return {name: part[::step] for step, (name, part) in enumerate(zip(MODALITIES, parts), start=1)}


def write_split(utterances: list[tuple[Utterance, int]], out: Path, split: str) -> None:
    """Write features, manifest and labels of a split."""
    (out / "features" / split).mkdir(parents=True, exist_ok=True)
    rows = []
    for number, (utterance, _) in enumerate(utterances):
        features = streams(utterance)
        file = f"{split}/{number:03d}.npz"
        write_arrays(out / "features" / file, features)
        rows.append((f"{split}{number:03d}", file, [len(features[name]) for name in MODALITIES]))
    write_samples(out / f"{split}.tsv", "features", rows)
    write_atomically(out / f"{split}.label", "".join(f"{speaker}\n" for _, speaker in utterances))


def main() -> int:
    """Write both splits."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="for manifests, labels and features")
    out = parser.parse_args().out
    for split, (name, count) in SPLITS.items():
        utterances = read_utterances(recordings() / f"JapaneseVowels_{name}.ts")
        if len(utterances) != count:
            raise ValueError(f"{recordings()} has {len(utterances)} utterances of {split}; expected {count}")
        write_split(utterances, out, split)
        print(f"{out / split}.tsv: {count} utterances of 9 speakers")
    return 0


if __name__ == "__main__":
    sys.exit(main())
