"""Clips of three digits each, one scanned, one written out, one spoken; the label is their sum modulo 3.

The scans are those of examples/image/pictures.py, in PICTURES/SPLIT/DIGIT; eSpeak speaks with several voices at
different speeds; a word may have a letter doubled. OUT/{train,valid,test}.tsv are tables of clips for
`data2vec multimodal`, with equally many clips of each combination, so that neither one stream nor two predict the sum.
A label has also the scanned, written and spoken digit, with the sum last: a single stream can learn its own digit.
No scan and no recording is in two splits, but the voices are. OUT/audio and OUT/text are the data for pre-training.

    pip install espeakng-loader scikit-learn pillow soundfile
    python examples/multimodal/digits.py --pictures PICTURES --out outputs/quickstart-multimodal/digits
"""

import argparse
import itertools
import os
import random
import sys
from pathlib import Path

from data2vec_plugin.corpora.espeak import Espeak, resample
from data2vec_plugin.files.writing import write_atomically

NAMES = ("zero", "one", "two")
SAMPLE_RATE = 16_000
VOICES = ("en-us", "en-us+f2", "en-gb-x-rp+m3", "en-gb-scotland")
RATES, PITCHES = (140, 180), (35, 60)
SPOKEN = (("train", 120), ("valid", 20), ("test", 40))
"""Recordings of each digit by split."""
HEADER = "id\tvision\ttext\taudio\tlabel"
Streams = dict[int, list[str]]
"""Cells of a table by digit."""


def written(rng: random.Random, digit: int) -> str:
    """Return a digit's name as letters separated by blanks; in every other one a letter is doubled."""
    letters = list(NAMES[digit])
    if rng.random() < 0.5:
        place = rng.randrange(len(letters))
        letters.insert(place, letters[place])
    return " ".join(letters)


def speak(out: Path, counts: dict[str, int], seed: int) -> dict[str, Streams]:
    """Write recordings of all digits to OUT/audio, with a manifest for each split; return their paths by digit."""
    import numpy
    import soundfile

    rng, speaker = random.Random(f"audio {seed}"), Espeak(seed)
    folder = out / "audio"
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, Streams] = {}
    for split, count in counts.items():
        lines = [str(folder.resolve())]
        found[split] = {digit: [] for digit in range(len(NAMES))}
        for digit, number in itertools.product(range(len(NAMES)), range(count)):
            voice = VOICES[number % len(VOICES)]
            pcm = speaker.say(NAMES[digit], voice, rng.randint(*RATES), rng.randint(*PITCHES), 50)
            clip = resample(numpy.frombuffer(pcm, "<i2") / 32768, speaker.sample_rate, SAMPLE_RATE)
            name = f"{split}-{digit}-{number:03d}.wav"
            soundfile.write(folder / name, clip.clip(-1, 1), SAMPLE_RATE)
            lines.append(f"{name}\t{len(clip)}")
            found[split][digit].append(f"audio/{name}")
        write_atomically(folder / f"{split}.tsv", "\n".join(lines) + "\n")
    return found


def scanned(pictures: Path, split: str, out: Path) -> Streams:
    """Return the scans of a split by digit, as paths relative to ``out``.

    Raises:
        SystemExit: a digit has none.
    """
    found: Streams = {}
    for digit in range(len(NAMES)):
        paths = sorted((pictures / split / str(digit)).glob("*.png"))
        if not paths:
            raise SystemExit(f"error: {pictures / split / str(digit)} holds no image; write them with pictures.py")
        found[digit] = [os.path.relpath(path, out) for path in paths]
    return found


def clips(count: int, scans: Streams, spoken: Streams, rng: random.Random) -> list[str]:
    """Return rows of a table, equally many of each of the 27 combinations of digits."""
    combinations = list(itertools.product(range(len(NAMES)), repeat=3))
    lines = [HEADER]
    for number in range(count):
        digits = combinations[number % len(combinations)]
        cells = (rng.choice(scans[digits[0]]), written(rng, digits[1]), rng.choice(spoken[digits[2]]))
        label = " ".join(map(str, (*digits, sum(digits) % len(NAMES))))
        lines.append("\t".join((f"{number:05d}", *cells, label)))
    return lines


def write_text(out: Path, counts: dict[str, int], seed: int) -> None:
    """Write names for pre-training, several per line, and the dictionary of their letters."""
    rng = random.Random(f"text {seed}")
    for split, count in counts.items():
        lines = (
            " ".join(written(rng, rng.randrange(len(NAMES))) for _ in range(rng.randint(1, 3))) for _ in range(count)
        )
        write_atomically(out / f"{split}.txt", "\n".join(lines) + "\n")
    letters = sorted(set("".join(NAMES)))
    write_atomically(out / "dict.txt", "".join(f"{letter} 1\n" for letter in letters))


def write_digits(pictures: Path, out: Path, counts: dict[str, int], seed: int) -> list[str]:
    """Write everything; return a line on each split."""
    out.mkdir(parents=True, exist_ok=True)
    spoken = speak(out, dict(SPOKEN), seed)
    write_text(out / "text", {"train": 6000, "valid": 300}, seed)
    said = []
    for split, count in counts.items():
        lines = clips(count, scanned(pictures, split, out), spoken[split], random.Random(f"{split} {seed}"))
        write_atomically(out / f"{split}.tsv", "\n".join(lines) + "\n")
        said.append(f"{out / split}.tsv: {count:,} clips of {sum(map(len, spoken[split].values()))} recordings")
    return said


def main() -> int:
    """Write the clips."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    for name, count in (("train", 4050), ("valid", 405), ("test", 1620)):
        parser.add_argument(f"--{name}", type=int, default=count, help=f"clips of this split (default: {count})")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    counts = {name: getattr(args, name) for name in ("train", "valid", "test")}
    try:
        lines = write_digits(args.pictures, args.out, counts, args.seed)
    except ValueError as error:
        raise SystemExit(f"error: {error}") from error
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
