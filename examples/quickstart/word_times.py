"""Accuracy of `data2vec align`: errors of word times, and whether its score detects wrong texts.

eSpeak reports the sample at which each word begins. The quickstart's test sentences are synthesised again, with the
settings of its corpus, and joined into recordings of about a minute, with pauses of 0.05 to 1.2 seconds; each is
aligned with its text. Then each sentence is scored with its own text, with others, and with its own with one word
changed.

    python examples/quickstart/word_times.py outputs/quickstart
"""

import argparse
import multiprocessing
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

import numpy
from synthesise import TEST_VOICES, Settings, plan

from data2vec_plugin.alignment.hearing import hear
from data2vec_plugin.alignment.spelling_out import Speller
from data2vec_plugin.alignment.timing import align_text
from data2vec_plugin.corpora.espeak import Espeak, resample
from data2vec_plugin.corpora.spoken_corpus import SAMPLE_RATE, Job
from data2vec_plugin.recognition.recogniser import open_recogniser

PAUSES = (0.05, 0.2, 0.5, 1.2)  # seconds
SENTENCES = 25  # of a recording


class Spoken(NamedTuple):
    """A sentence: its samples, and the time in seconds at which each word begins and the last one ends."""

    text: str
    samples: Any
    edges: list[float]


def speak(job: Job) -> list[Spoken]:
    """The sentences of a voice of the corpus, as synthesised by synthesise.py."""
    generator = random.Random(job.seed)
    speaker, voice, spoken = Espeak(generator.randrange(2**31)), job.voice, []
    for text in job.sentences:
        rate = round(voice.rate * generator.uniform(0.85, 1.15))
        pcm = speaker.say(text, voice.name, rate, voice.pitch + generator.randint(-8, 8), voice.range)
        samples = resample(numpy.frombuffer(pcm, "<i2") / 32768, speaker.sample_rate, SAMPLE_RATE).clip(-1, 1)
        edges = [start / speaker.sample_rate for start in speaker.word_starts]
        spoken.append(Spoken(text, samples.astype("float32"), edges))
    return spoken


def joined(spoken: Sequence[Spoken], generator: random.Random) -> tuple[Any, list[tuple[float, float]]]:
    """Sentences one after the other with pauses: samples, and the true times of all words."""
    parts, times, at = [], [], 0
    for sentence in spoken:
        silence = int(generator.choice(PAUSES) * SAMPLE_RATE)
        at += silence
        begin = at / SAMPLE_RATE
        times += [(begin + start, begin + end) for start, end in zip(sentence.edges, sentence.edges[1:])]
        parts += [numpy.zeros(silence, "float32"), sentence.samples]
        at += len(sentence.samples)
    return numpy.concatenate(parts), times


def errors_of_times(recogniser: Any, speller: Speller, spoken: Sequence[Spoken]) -> Any:
    """Delay of beginnings and ends of words in seconds, (2 · words,)."""
    generator, errors = random.Random(1), []
    for first in range(0, len(spoken), SENTENCES):
        group = spoken[first : first + SENTENCES]
        samples, true = joined(group, generator)
        text = " ".join(sentence.text for sentence in group)
        found = align_text(hear(recogniser, samples), text, speller, recogniser.symbols, recogniser.blank)
        for word, (start, end) in zip(found.words, true):
            errors += [word.word.start - start, word.word.end - end]
    return numpy.array(errors)


def scores_by_text(recogniser: Any, speller: Speller, spoken: Sequence[Spoken]) -> dict[str, list[float]]:
    """Scores of all sentences with their own text, another's, and their own with a word changed or without the last."""
    generator = random.Random(1)
    words = sorted({word for sentence in spoken for word in sentence.text.split()})
    scores: dict[str, list[float]] = {"own": [], "another's": [], "one word is another": [], "the last word lacks": []}
    for sentence in spoken:
        own, heard = sentence.text.split(), hear(recogniser, sentence.samples)
        place = generator.randrange(len(own))
        word = generator.choice([each for each in words if each != own[place]])
        texts = {
            "own": own,
            "another's": generator.choice([each.text for each in spoken if each.text != sentence.text]).split(),
            "one word is another": [*own[:place], word, *own[place + 1 :]],
            "the last word lacks": own[:-1],
        }
        for name, text in texts.items():
            try:
                found = align_text(heard, " ".join(text), speller, recogniser.symbols, recogniser.blank)
                scores[name].append(found.score)
            except ValueError:  # too long for the recording, which also detects it
                scores[name].append(-numpy.inf)
    return scores


def area_under_curve(own: Sequence[float], others: Sequence[float]) -> float:
    """The share of cases in which a recording's own text scores higher than another: 1 if always."""
    left, right = numpy.array(own)[:, None], numpy.array(others)[None]
    return float((left > right).mean() + 0.5 * (left == right).mean())


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("quickstart", type=Path, help="folder of the quickstart: outputs/quickstart")
    parser.add_argument(
        "--recogniser", type=Path, help="a checkpoint or ONNX file (default: finetune/checkpoint_best.pt)"
    )
    parser.add_argument(
        "--sentences", type=int, default=Settings().test_utterances, help="number of sentences (default: 100)"
    )
    args = parser.parse_args(arguments)
    settings = Settings(test_utterances=args.sentences)
    with tempfile.TemporaryDirectory() as folder:
        jobs = plan(settings, Path(folder))[-len(TEST_VOICES) :]
    with multiprocessing.get_context("spawn").Pool(len(jobs), maxtasksperchild=1) as pool:
        spoken = [sentence for job in pool.map(speak, jobs, chunksize=1) for sentence in job]
    recogniser = open_recogniser(args.recogniser or args.quickstart / "finetune" / "checkpoint_best.pt", "cpu")
    speller = Speller(recogniser.symbols)
    errors = numpy.abs(errors_of_times(recogniser, speller, spoken))
    print(f"{len(errors) // 2} words: beginnings and ends are off by {1000 * numpy.median(errors):.0f} ms (median),")
    print(f"  95 % by at most {1000 * numpy.quantile(errors, 0.95):.0f} ms, the worst by {1000 * errors.max():.0f} ms")
    scores = scores_by_text(recogniser, speller, spoken)
    for name, found in scores.items():
        area = "" if name == "own" else f", area under the curve {area_under_curve(scores['own'], found):.4f}"
        print(f"score if the text is {name:<20} median {numpy.median(found):6.2f}{area}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
