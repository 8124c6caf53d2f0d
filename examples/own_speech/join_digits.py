"""Join recordings of single digits into strings of digits, with transcripts: SPEAKER/DIGIT_NN.flac (or .wav).

The Free Spoken Digit Dataset has such recordings. The result has a folder for each split, for `data2vec manifest` and
`data2vec labels`; the sample rate is not changed:

    train-unlabelled   speakers of training, ten seconds and more per file, no transcripts: for pre-training
    valid-unlabelled   the same speakers, recordings that training does not have
    train-labelled     a quarter of the recordings of train-unlabelled, three to six digits per file
    valid              the same speakers, recordings that training does not have
    test               speakers who are in no other split

    python examples/own_speech/join_digits.py /path/to/recordings --out outputs/digits/recordings

The same arguments give the same files.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import numpy

from data2vec_plugin.files.folders import Walk
from data2vec_plugin.files.media.audio import read_samples
from data2vec_plugin.files.writing import replacing_folder

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
NAME = re.compile(r"(?P<speaker>[^/]+)/(?P<digit>[0-9])_(?P<take>[0-9]+)\.\w+")
PAUSE = (0.03, 0.25)  # seconds around each digit
LENGTHS = (3, 4, 5, 6)  # digits in a labelled file
RECORDING = 10.0  # seconds at least, of an unlabelled file
VALID_SHARE = 5  # every fifth take of a speaker of training is for valid
LABELLED_SHARE = 4  # of the others every fourth or so has a transcript


@dataclass(frozen=True)
class Take:
    """A recording of one digit."""

    file: Path
    speaker: str
    digit: int
    take: int


@dataclass(frozen=True)
class Sizes:
    """How much each split holds, over all of its speakers."""

    unlabelled_minutes: float = 30.0
    valid_unlabelled_minutes: float = 1.0
    train: int = 150
    valid: int = 60
    test: int = 100


def find_takes(root: Path) -> list[Take]:
    """List the recordings of a folder.

    Raises:
        ValueError: there are none of such names, or only one speaker's.
    """
    takes = []
    for name in sorted(Walk(root, [".flac", ".wav"], {}).files()):
        match = NAME.fullmatch(name)
        if match:
            takes.append(Take(root / name, match["speaker"], int(match["digit"]), int(match["take"])))
    if not takes:
        raise ValueError(f"{root}: no recording is named SPEAKER/DIGIT_NN.flac, such as anna/7_03.flac, or .wav")
    if len({take.speaker for take in takes}) < 2:
        raise ValueError(f"{root}: all recordings are by {takes[0].speaker}; at least one more speaker is for the test")
    return takes


def choose_test_speakers(takes: Sequence[Take], wanted: Optional[str]) -> set[str]:
    """Return the speakers of the test: those that were named, or the last third of the alphabet's order.

    Raises:
        ValueError: there is no such speaker, or none would be left for training.
    """
    speakers = sorted({take.speaker for take in takes})
    chosen = set(wanted.split(",")) if wanted else set(speakers[-max(1, len(speakers) // 3) :])
    unknown = sorted(chosen - set(speakers))
    if unknown or chosen == set(speakers):
        fault = f"no speaker {', '.join(unknown)}" if unknown else "no speaker is left for training"
        raise ValueError(f"--test-speakers: {fault}; the speakers are {', '.join(speakers)}")
    return chosen


def is_for_valid(take: Take) -> bool:
    """Whether a recording of a speaker of training is kept for valid."""
    return take.take % VALID_SHARE == VALID_SHARE - 1


def is_labelled(take: Take) -> bool:
    """Whether a recording of training has a transcript."""
    return take.take % LABELLED_SHARE == 0 and not is_for_valid(take)


def endless(takes: Sequence[Take], generator: random.Random) -> Iterator[Take]:
    """Yield the recordings in random order, each again only after all others."""
    while True:
        yield from generator.sample(list(takes), len(takes))


class Studio:
    """Reads recordings, which have one sample rate, and joins them."""

    def __init__(self) -> None:
        self.rate = 0
        self._read: dict[Path, Any] = {}

    def samples(self, take: Take) -> Any:
        """Samples of a recording, (samples,); channels are averaged."""
        if take.file not in self._read:
            samples, rate = read_samples(str(take.file))
            if self.rate not in (0, rate):
                raise ValueError(f"{take.file} has {rate} Hz, others have {self.rate}; resample it")
            self.rate = rate
            self._read[take.file] = samples.mean(1)
        return self._read[take.file]

    def join(self, takes: Iterator[Take], generator: random.Random, digits: int, seconds: float) -> tuple[Any, str]:
        """Join N digits, and more until the given seconds are reached: samples, and the words."""
        parts: list[Any] = []
        words: list[str] = []
        while len(words) < digits or sum(map(len, parts)) < seconds * self.rate:
            take = next(takes)
            samples = self.samples(take)
            parts += [self.pause(generator), samples]
            words.append(WORDS[take.digit])
        return numpy.concatenate([*parts, self.pause(generator)]), " ".join(words)

    def pause(self, generator: random.Random) -> Any:
        """Silence; the rate is that of what was read first."""
        return numpy.zeros(int(generator.uniform(*PAUSE) * self.rate), "float32")


def write_split(
    folder: Path, takes: Mapping[str, Sequence[Take]], studio: Studio, seed: int, files: int = 0, minutes: float = 0.0
) -> None:
    """Write a split: N labelled files, or N minutes without labels, divided among its speakers."""
    import soundfile

    if not all(takes.values()):
        lacking = ", ".join(speaker for speaker, own in takes.items() if not own)
        raise ValueError(f"{folder.name}: no recording is left of {lacking}; each digit needs {VALID_SHARE} takes")
    for number, (speaker, own) in enumerate(sorted(takes.items())):
        generator = random.Random(f"{seed}/{folder.name}/{speaker}")
        order, out, transcripts, written = endless(own, generator), folder / speaker, [], 0.0
        out.mkdir(parents=True)
        count = len(range(number, files, len(takes)))
        while len(transcripts) < count if files else written < 60 * minutes / len(takes):
            digits, seconds = (generator.choice(LENGTHS), 0.0) if files else (1, RECORDING)
            clip, text = studio.join(order, generator, digits, seconds)
            name = f"{speaker}-{len(transcripts):04d}"
            soundfile.write(out / f"{name}.flac", clip, studio.rate)
            transcripts.append(f"{name} {text.upper()}\n")
            written += len(clip) / studio.rate
        if files:
            (out / f"{speaker}.trans.txt").write_text("".join(transcripts), encoding="utf-8")
        print(f"{folder.name}, {speaker}: {len(transcripts)} files, {written / 60:.1f} minutes")


def join_digits(root: Path, out: Path, test_speakers: Optional[str], seed: int, sizes: Sizes) -> None:
    """Write all splits atomically."""
    if out.exists():
        raise ValueError(f"{out} already exists; delete it, or give another --out")
    takes = find_takes(root)
    chosen = choose_test_speakers(takes, test_speakers)

    def of(wanted: Callable[[Take], bool]) -> dict[str, list[Take]]:
        training = [take for take in takes if take.speaker not in chosen]
        return {
            name: [t for t in training if t.speaker == name and wanted(t)] for name in {t.speaker for t in training}
        }

    tested = {name: [take for take in takes if take.speaker == name] for name in chosen}
    studio = Studio()
    with replacing_folder(out) as part:
        training = of(lambda take: not is_for_valid(take))
        write_split(part / "train-unlabelled", training, studio, seed, minutes=sizes.unlabelled_minutes)
        write_split(part / "valid-unlabelled", of(is_for_valid), studio, seed, minutes=sizes.valid_unlabelled_minutes)
        write_split(part / "train-labelled", of(is_labelled), studio, seed, files=sizes.train)
        write_split(part / "valid", of(is_for_valid), studio, seed, files=sizes.valid)
        write_split(part / "test", tested, studio, seed, files=sizes.test)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Parse the command line and write the splits."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("recordings", type=Path, help="folder with SPEAKER/DIGIT_NN.flac")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--test-speakers", metavar="NAMES", help="comma-separated (default: the last third of all)")
    parser.add_argument("--seed", type=int, default=1)
    for name, value in vars(Sizes()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value, help=f"({value})")
    args = parser.parse_args(arguments)
    sizes = Sizes(**{name: getattr(args, name) for name in vars(Sizes())})
    try:
        join_digits(args.recordings, args.out, args.test_speakers, args.seed, sizes)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
