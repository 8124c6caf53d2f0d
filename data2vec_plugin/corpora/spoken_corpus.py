"""A corpus spoken by voices of eSpeak NG, laid out as LibriSpeech: SPLIT/SPEAKER/CHAPTER/SPEAKER-CHAPTER-NNNN.flac.

Files have 16 kHz. Splits with labels have one SPEAKER-CHAPTER.trans.txt per chapter. The same jobs give the same
corpus, on any number of processes; existing voices are kept.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import random
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..files.text.json_files import read_json
from ..files.writing import write_atomically
from .espeak import Espeak, resample

SAMPLE_RATE = 16000
UTTERANCES_PER_CHAPTER = 50
PAUSE = (0.02, 0.3)  # seconds between the sentences of one recording


@dataclass(frozen=True)
class Voice:
    """A speaker: eSpeak's accent and voice variant, and how it usually speaks."""

    speaker: int
    name: str  # accent, or accent+variant
    rate: int  # words per minute
    pitch: int  # 0–99
    range: int  # of the pitch, 0–99


@dataclass(frozen=True)
class Job:
    """The part of one voice in one split: these sentences, up to the given number of seconds.

    A file holds one sentence, or as many as fill ``recording`` seconds. It begins and ends with sound.
    """

    folder: Path  # SPLIT/SPEAKER, there once the job is complete
    voice: Voice
    seed: str
    labelled: bool
    sentences: tuple[str, ...]
    seconds: float = math.inf
    recording: float = 0.0


def perform(job: Job) -> tuple[str, int, float]:
    """Speak and write all of one job; return its folder, utterances and seconds."""
    import soundfile

    part = job.folder.with_name(job.folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    count, seconds = 0, 0.0
    for text, clip in utterances(job):
        chapter = f"{job.voice.speaker}-{1 + count // UTTERANCES_PER_CHAPTER}"
        folder = part / chapter.split("-")[1]
        folder.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / f"{chapter}-{count:04d}.flac", clip, SAMPLE_RATE)
        if job.labelled:
            with open(folder / f"{chapter}.trans.txt", "a", encoding="utf-8") as transcripts:
                transcripts.write(f"{chapter}-{count:04d} {text.upper()}\n")
        count, seconds = count + 1, seconds + len(clip) / SAMPLE_RATE
        if seconds >= job.seconds:
            break
    part.replace(job.folder)  # a folder of that name is a complete one
    return str(job.folder), count, seconds


def utterances(job: Job) -> Iterator[tuple[str, Any]]:
    """Yield the text and the samples of every file of a job."""
    import numpy

    generator = random.Random(job.seed)
    speaker = Espeak(generator.randrange(2**31))
    voice, texts, parts = job.voice, [], []
    for text in job.sentences:
        rate = round(voice.rate * generator.uniform(0.85, 1.15))
        pitch = voice.pitch + generator.randint(-8, 8)
        pcm = speaker.say(text, voice.name, rate, pitch, voice.range)
        clip = resample(numpy.frombuffer(pcm, "<i2") / 32768, speaker.sample_rate, SAMPLE_RATE)
        texts.append(text)
        parts.append(clip.clip(-1, 1))
        if sum(map(len, parts)) >= job.recording * SAMPLE_RATE:
            yield " ".join(texts), trimmed(numpy.concatenate(parts))
            texts, parts = [], []
        else:
            parts.append(numpy.zeros(int(generator.uniform(*PAUSE) * SAMPLE_RATE)))


def trimmed(clip: Any) -> Any:
    """Samples from the first to the last that are not zero in 16 bits, so that they are found again in any silence."""
    import numpy

    sound = numpy.flatnonzero(numpy.rint(clip * 32767))
    return clip[sound[0] : sound[-1] + 1] if len(sound) else clip


def claim(out: Path, wanted: Mapping[str, Any]) -> None:
    """Write the settings into the corpus folder, or check that it was made with the same.

    Raises:
        ValueError: the folder holds a corpus of other settings.
    """
    path = out / "corpus.json"
    if path.exists():
        found = read_json(path)
        for name in wanted:
            if found.get(name) != wanted[name]:
                raise ValueError(
                    f"{path} has {name} = {found.get(name)}, now it is {wanted[name]}; "
                    "give another --out, or delete that folder"
                )
        return
    write_atomically(path, json.dumps(dict(wanted), indent=2) + "\n")


def speak_all(jobs: Sequence[Job], processes: int) -> None:
    """Perform the jobs whose folders do not exist yet, and print what each split holds."""
    from tqdm import tqdm

    missing = [job for job in jobs if not job.folder.exists()]
    if len(missing) < len(jobs):
        print(f"skipped {len(jobs) - len(missing)} of {len(jobs)} voices: already there")
    for job in missing:
        job.folder.parent.mkdir(parents=True, exist_ok=True)
    # A new process per voice: eSpeak has a state, so its speech depends on previous speech.
    context = multiprocessing.get_context("spawn")
    totals: dict[str, list[float]] = {}
    with context.Pool(processes, maxtasksperchild=1) as pool:
        done = pool.imap_unordered(perform, missing, chunksize=1)
        for folder, count, seconds in tqdm(done, "synthesise", len(missing), unit="voice"):
            total = totals.setdefault(Path(folder).parent.name, [0, 0, 0.0])
            for index, value in enumerate((1, count, seconds / 60)):
                total[index] += value
    for split, (voices, count, minutes) in sorted(totals.items()):
        print(f"{split}: {voices:.0f} voices, {count:.0f} utterances, {minutes:.1f} minutes")
