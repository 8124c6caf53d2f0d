"""Clips of the spoken corpora: they begin and end with sound."""

from pathlib import Path
from typing import Any

import numpy
import pytest
import soundfile

from data2vec_plugin.corpora import spoken_corpus
from data2vec_plugin.corpora.spoken_corpus import Job, Voice, perform, trimmed


class Silence:
    """An eSpeak whose clips begin and end with zeros."""

    sample_rate = 16000

    def __init__(self, seed: int) -> None: ...

    def say(self, text: str, *settings: Any) -> bytes:
        return numpy.array([0] * 500 + [1000] * 9000 + [0] * 700, "<i2").tobytes()


def test_silence_at_the_ends_is_cut_off_and_that_within_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spoken_corpus, "Espeak", Silence)
    voice = Voice(7, "en", 160, 50, 50)
    perform(Job(tmp_path / "7", voice, "1", True, ("one", "two", "six"), recording=1.0))
    (clip,) = (tmp_path / "7").rglob("*.flac")
    samples, _ = soundfile.read(clip, dtype="int16")
    assert samples[0] != 0
    assert samples[-1] != 0
    assert len(samples) > 2 * 10200 - 1200
    assert (samples == 0).sum() > 1200


def test_what_16_bits_round_to_zero_is_silence() -> None:
    clip = numpy.array([0.0, 0.4, 3.0, 0.0, -3.0, -0.4]) / 32767
    assert (trimmed(clip) == clip[2:5]).all()
    assert (trimmed(numpy.zeros(4)) == numpy.zeros(4)).all()
