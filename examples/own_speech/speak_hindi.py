"""Synthesise a small Hindi corpus with eSpeak NG (pip package `espeakng-loader`).

The folder looks like LibriSpeech, as the quickstart's English corpus does: train-unlabelled and valid-unlabelled have
no transcripts; train-labelled, valid and test do. The voices and sentences of valid and test are in no other split.

Hindi's ṛa can be typed as one character or as two that look the same (U+095C, or U+0921 and U+093C). The transcripts of
training have one form and the others have the other; `data2vec labels` normalises both to the same.

    python examples/own_speech/speak_hindi.py --out outputs/hindi/recordings
"""

from __future__ import annotations

import argparse
import itertools
import math
import random
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Optional

from data2vec_plugin.corpora.spoken_corpus import Job, Voice, claim, speak_all

# A sentence is `NUMBER [COLOUR] ANIMAL [PLACE POSTPOSITION] ACTION हैं`: four to eight words.
NUMBERS = ("दो", "तीन", "चार", "पाँच", "छह", "सात", "आठ")
COLOURS = ("लाल", "नीले", "हरे", "काले", "छोटे", "बड\u093cे")
ANIMALS = ("घोड\u093cे", "कुत्ते", "बंदर", "हाथी", "शेर", "मोर")
PLACES = ("नदी", "घर", "बाग", "पुल", "पहाड\u093c")
POSTPOSITIONS = ("के पास", "के पीछे", "के ऊपर", "के नीचे")
ACTIONS = ("दौड\u093cते", "सोते", "कूदते", "गाते", "रुकते", "तैरते")
TWO_CHARACTERS, ONE_CHARACTER = "\u0921\u093c", "\u095c"

SHARES = {"train": 0.8, "valid": 0.1, "test": 0.1}
"""The share of all sentences of each split."""
TRAIN_VOICES = tuple(
    Voice(101 + index, f"hi+{variant}", rate, pitch, spread)
    for index, (variant, rate, pitch, spread) in enumerate(
        (
            ("f1", 150, 55, 60),
            ("f2", 165, 60, 55),
            ("f4", 170, 50, 65),
            ("linda", 160, 50, 50),
            ("m1", 145, 35, 50),
            ("m3", 175, 40, 40),
            ("m5", 155, 45, 35),
            ("m7", 180, 50, 55),
        )
    )
)
VALID_VOICES = (Voice(201, "hi+m4", 160, 45, 50), Voice(202, "hi+belinda", 165, 50, 50))
TEST_VOICES = (Voice(301, "hi+f3", 160, 50, 55), Voice(302, "hi+m2", 165, 42, 45))
RECORDING = 10.0  # seconds at least, of an unlabelled file


@dataclass(frozen=True)
class Settings:
    """The settings of the corpus, written to corpus.json next to it."""

    seed: int = 1
    unlabelled_minutes: float = 24.0
    valid_unlabelled_minutes: float = 1.5
    labelled_minutes: float = 5.0
    valid_utterances: int = 60
    test_utterances: int = 100


def sentences_by_split(seed: int) -> dict[str, list[str]]:
    """Assign every possible sentence to one split, in an order that depends on the seed."""
    places = ["", *(f"{place} {side} " for place, side in itertools.product(PLACES, POSTPOSITIONS))]
    parts = itertools.product(NUMBERS, ("", *(f"{colour} " for colour in COLOURS)), ANIMALS, places, ACTIONS)
    every = [f"{number} {colour}{animal} {place}{action} हैं" for number, colour, animal, place, action in parts]
    random.Random(seed).shuffle(every)
    splits, begin = {}, 0.0
    for name, share in SHARES.items():
        splits[name] = every[round(begin * len(every)) : round((begin + share) * len(every))]
        begin += share
    return splits


def plan(settings: Settings, out: Path) -> list[Job]:
    """List the sentences to synthesise, with their voices and folders.

    Raises:
        ValueError: there are fewer sentences than asked for, or nothing is asked for.
    """
    for name, value in asdict(settings).items():
        if name != "seed" and value <= 0:
            raise ValueError(f"--{name.replace('_', '-')} is {value}; expected more than 0")
    pools, jobs = sentences_by_split(settings.seed), []
    typed = [sentence.replace(TWO_CHARACTERS, ONE_CHARACTER) for sentence in pools["train"]]
    for split, minutes, voices, pool in (
        ("train-unlabelled", settings.unlabelled_minutes, TRAIN_VOICES, pools["train"]),
        ("valid-unlabelled", settings.valid_unlabelled_minutes, VALID_VOICES, pools["valid"]),
        ("train-labelled", settings.labelled_minutes, TRAIN_VOICES, typed),
    ):
        labelled = split.endswith("-labelled")
        for index, voice in enumerate(voices):
            said, seconds = tuple(pool[index :: len(voices)]), 60 * minutes / len(voices)
            jobs.append(job(settings, out / split, voice, said, seconds, 0.0 if labelled else RECORDING))
    for split, count, voices in (
        ("valid", settings.valid_utterances, VALID_VOICES),
        ("test", settings.test_utterances, TEST_VOICES),
    ):
        if count > len(pools[split]):
            raise ValueError(f"--{split}-utterances is {count}; expected at most {len(pools[split])}")
        for index, voice in enumerate(voices):
            said = tuple(pools[split][:count][index :: len(voices)])
            jobs.append(job(settings, out / split, voice, said, math.inf, 0.0))
    return jobs


def job(settings: Settings, folder: Path, voice: Voice, said: tuple[str, ...], seconds: float, recording: float) -> Job:
    """The part of a voice in a split: one sentence per file, or as many as fill a recording without transcript."""
    seed = f"{settings.seed}/{voice.name}"
    return Job(folder / str(voice.speaker), voice, seed, not recording, said, seconds, recording)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Parse the command line and make the corpus."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--processes", type=int, default=2)
    for name, value in asdict(Settings()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value, help=f"({value})")
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
