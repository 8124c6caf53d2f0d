"""The strip of a waveform and its words."""

import re

import numpy as np
import pytest

from data2vec_plugin.demo.waveform import Peaks, peaks_of, pixels_a_second, strip
from data2vec_plugin.recognition.timed_words import TimedWord

WORDS = [TimedWord("ONE", 0.5, 0.9, 0.97), TimedWord("<TWO>", 1.0, 1.4, 0.2)]


def test_words_are_where_they_were_said_and_their_text_is_no_markup() -> None:
    found = strip([0.1, 1.0, 0.5], 2.0, WORDS)
    assert re.findall(r"left:(\d+)px;top:(\d+)px;min-width:(\d+)px", found) == [("75", "0", "60"), ("150", "44", "60")]
    assert "&lt;TWO&gt;" in found
    assert "<TWO>" not in found
    assert "97 %" in found
    assert 'title="1.00 to 1.40 s, confidence 20 %"' in found


def test_an_hour_is_drawn_without_words_and_not_wider_than_a_browser_draws() -> None:
    found = strip([0.5] * 100, 3600.0, WORDS)
    assert "they are in the files" in found
    assert "ONE" not in found
    assert max(map(int, re.findall(r"width:(\d+)px", found))) <= 30_000


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_peaks_do_not_depend_on_how_a_recording_is_read(size: int) -> None:
    samples = np.random.default_rng(0).normal(0, 1, 1003).astype("float32")
    peaks = Peaks(10)
    for start in range(0, len(samples), size):
        peaks.add(samples[start : start + size])
    assert peaks.values() == pytest.approx([float(np.abs(samples[at : at + 10]).max()) for at in range(0, 1003, 10)])


def test_silence_and_nothing_are_drawn_too() -> None:
    assert "<svg" in strip([], 0.0, [])
    silence = [np.zeros(16_000, np.float32)]
    assert len(peaks_of(silence, 1.0, 16_000)) == round(pixels_a_second(1.0) / 3)
    assert "nan" not in strip(peaks_of(silence, 1.0, 16_000), 1.0, [])
