"""Synthesise a small speech corpus with eSpeak NG (pip package `espeakng-loader`).

The folder looks like LibriSpeech, SPLIT/SPEAKER/CHAPTER/SPEAKER-CHAPTER-NNNN.flac at 16 kHz, with
one SPEAKER-CHAPTER.trans.txt per chapter in the splits that have labels:

    train-unlabelled   many voices, sentence after sentence, no transcripts: for pre-training
    valid-unlabelled   other voices in the same manner
    train-labelled     the same voices, one sentence per file, with transcripts: for fine-tuning
    valid, test        other voices and other sentences, with transcripts

    python examples/quickstart/synthesise.py --out outputs/quickstart/corpus

The same arguments give the same corpus, on any number of processes. When run again, it synthesises
only missing voices.
"""

import argparse
import itertools
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Optional

from data2vec_plugin.corpora.spoken_corpus import Job, Voice, claim, speak_all

SHORTEST_SENTENCE = 0.5  # seconds; no three words are spoken in less

# A sentence is `NUMBER [COLOUR] ANIMAL ACTION [PREPOSITION PLACE]`: three to six words.
NUMBERS = ("two", "three", "four", "five", "six", "seven", "nine")
COLOURS = ("red", "green", "blue", "small", "young", "quick")
ANIMALS = ("birds", "dogs", "cats", "horses", "foxes", "mice")
ACTIONS = ("run", "jump", "sleep", "sing", "wait", "swim")
PREPOSITIONS = ("near", "over", "behind", "under")
PLACES = ("house", "river", "garden", "window", "bridge")
VOCABULARY = NUMBERS + COLOURS + ANIMALS + ACTIONS + PREPOSITIONS + PLACES

# Three-word sentences are few (252 of 37 044), so they are drawn less often than the long ones.
LENGTH_WEIGHTS = {3: 1, 4: 2, 5: 2, 6: 3}
# The share of all sentences of each split: no sentence is in two splits.
SENTENCE_SHARES = {"train": 0.8, "valid": 0.1, "test": 0.1}


# No variant is in two lists: the speakers of `valid` and `test` do not occur in training.
TRAIN_VOICES = (
    Voice(101, "en-us", 160, 45, 50),
    Voice(102, "en-us+f1", 150, 55, 60),
    Voice(103, "en+m3", 175, 40, 40),
    Voice(104, "en-gb-scotland+f2", 165, 60, 55),
    Voice(105, "en-gb-x-rp+m1", 145, 35, 50),
    Voice(106, "en-gb-x-gbclan+f4", 170, 50, 65),
    Voice(107, "en-gb-x-gbcwmd+m5", 155, 45, 35),
    Voice(108, "en-us-nyc+m7", 180, 50, 55),
    Voice(109, "en-029+f5", 160, 55, 45),
    Voice(110, "en-us+linda", 170, 50, 50),
    Voice(111, "en+steph", 150, 45, 60),
    Voice(112, "en-us+Michael", 165, 40, 45),
)
VALID_VOICES = (Voice(201, "en-us+m4", 160, 45, 50), Voice(202, "en+belinda", 165, 50, 50))
TEST_VOICES = (Voice(301, "en+f3", 160, 50, 55), Voice(302, "en-us+m2", 165, 42, 45))


@dataclass(frozen=True)
class Settings:
    """The settings of the corpus, written to corpus.json next to it."""

    seed: int = 1
    train_voices: int = 12
    unlabelled_minutes: float = 32.0
    valid_unlabelled_minutes: float = 1.5
    recording_seconds: float = 10.0  # at least, of an unlabelled file
    labelled_minutes: float = 5.0
    labelled_voices: int = 12
    valid_utterances: int = 60
    test_utterances: int = 100


def sentences_by_split(seed: int) -> dict[str, list[str]]:
    """Deal every possible sentence to one split; the order is random and follows the seed."""
    colours, places = [(), *((c,) for c in COLOURS)], [(), *itertools.product(PREPOSITIONS, PLACES)]
    parts = itertools.product(NUMBERS, colours, ANIMALS, ACTIONS, places)
    every = [" ".join((n, *c, a, v, *p)) for n, c, a, v, p in parts]
    random.Random(seed).shuffle(every)
    splits: dict[str, list[str]] = {name: [] for name in SENTENCE_SHARES}
    for length in LENGTH_WEIGHTS:  # by length, so that every split gets its share of the short ones
        group = [sentence for sentence in every if len(sentence.split()) == length]
        begin = 0.0
        for name, share in SENTENCE_SHARES.items():
            end = begin + share
            splits[name] += group[round(begin * len(group)) : round(end * len(group))]
            begin = end
    return splits


def draw(sentences: Sequence[str], seed: str) -> Iterator[str]:
    """Yield sentences in random order, none twice, of mixed length, until none is left."""
    generator = random.Random(seed)
    groups: dict[int, list[str]] = {length: [] for length in LENGTH_WEIGHTS}
    for sentence in sentences:
        groups[len(sentence.split())].append(sentence)
    for group in groups.values():
        generator.shuffle(group)
    while any(groups.values()):
        lengths = [length for length, group in groups.items() if group]
        weights = [LENGTH_WEIGHTS[length] for length in lengths]
        yield groups[generator.choices(lengths, weights)[0]].pop()


def plan(settings: Settings, out: Path) -> list[Job]:
    """List the sentences to synthesise, with their voices and folders.

    Raises:
        ValueError: a setting is out of range, or there are fewer sentences than asked for.
    """
    check(settings)
    pools, jobs = sentences_by_split(settings.seed), []
    speakers = TRAIN_VOICES[: settings.train_voices]
    for split, minutes, voices in (
        ("train-unlabelled", settings.unlabelled_minutes, speakers),
        ("valid-unlabelled", settings.valid_unlabelled_minutes, VALID_VOICES),
        ("train-labelled", settings.labelled_minutes, speakers[: settings.labelled_voices]),
    ):
        for voice in voices:
            seed, seconds = f"{settings.seed}/{voice.name}", 60 * minutes / len(voices)
            enough = 1 + int(seconds / SHORTEST_SENTENCE)
            pool, _, kind = split.partition("-")
            said = tuple(itertools.islice(draw(pools[pool], seed), enough))
            labelled = kind == "labelled"
            folder = out / split / str(voice.speaker)
            recording = 0.0 if labelled else settings.recording_seconds
            jobs.append(Job(folder, voice, seed, labelled, said, seconds, recording))
    for split, count, voices in (
        ("valid", settings.valid_utterances, VALID_VOICES),
        ("test", settings.test_utterances, TEST_VOICES),
    ):
        if count > len(pools[split]):
            raise ValueError(
                f"--{split}-utterances is {count}, but only {len(pools[split])} sentences are "
                f"reserved for {split}; use a smaller number"
            )
        chosen = list(itertools.islice(draw(pools[split], f"{settings.seed}/{split}"), count))
        for index, voice in enumerate(voices):
            said = tuple(chosen[index :: len(voices)])
            seed = f"{settings.seed}/{voice.name}"
            jobs.append(Job(out / split / str(voice.speaker), voice, seed, True, said))
    return jobs


def check(settings: Settings) -> None:
    """Raise ValueError for a setting that is out of range."""
    limits = {
        "train_voices": len(TRAIN_VOICES),
        "labelled_voices": min(settings.train_voices, len(TRAIN_VOICES)),
    }
    for name, most in limits.items():
        value = getattr(settings, name)
        if not 1 <= value <= most:
            raise ValueError(f"--{name.replace('_', '-')} is {value}; expected 1 to {most}")
    minutes = ("unlabelled_minutes", "valid_unlabelled_minutes", "labelled_minutes", "recording_seconds")
    for name in (*minutes, "valid_utterances", "test_utterances"):
        if getattr(settings, name) <= 0:
            option = name.replace("_", "-")
            raise ValueError(f"--{option} is {getattr(settings, name)}; expected more than 0")


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Parse the command line and make the corpus."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=Path("outputs/quickstart/corpus"))
    parser.add_argument("--processes", type=int, default=2)
    for name, value in asdict(Settings()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    args = vars(parser.parse_args(arguments))
    out, processes = args.pop("out"), args.pop("processes")
    try:
        settings = Settings(**args)
        jobs = plan(settings, out)
        claim(out, asdict(settings))
        speak_all(jobs, processes)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
