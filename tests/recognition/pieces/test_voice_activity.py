"""Silero's model tells speech from noise and tones; the package that holds it is never imported."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import numpy as np
import pytest
from numpy.typing import NDArray

from data2vec_plugin.recognition.pieces import voice_activity
from data2vec_plugin.recognition.pieces.cutting import VAD, Cutting, Frames, pieces
from data2vec_plugin.recognition.pieces.voice_activity import VoiceActivity

RATE = 16_000


def spoken(rate: int, seconds: float) -> NDArray[np.float32]:
    """Something like a voice: pulses at 120 Hz through two formants, in syllables."""
    time = np.arange(int(seconds * rate)) / rate
    formants = [(pitch, formant) for pitch in range(120, 3_600, 120) for formant in (600, 1_400)]
    voice = sum(np.sin(2 * np.pi * at * time) * np.exp(-(((at - formant) / 200) ** 2)) for at, formant in formants)
    syllables = np.clip(np.sin(2 * np.pi * 3 * time) + 0.6, 0, 1)
    return (0.1 * np.asarray(voice) * syllables).astype("float32")


def need_the_package() -> None:
    if find_spec("silero_vad") is None:
        pytest.skip("silero-vad is not installed")


@pytest.fixture
def detector() -> VoiceActivity:
    need_the_package()
    return VoiceActivity(RATE)


def test_steps_do_not_depend_on_blocks(detector: VoiceActivity) -> None:
    rng = np.random.default_rng(0)
    recording = np.concatenate([spoken(RATE, 1.5), rng.normal(0, 0.01, RATE)]).astype("float32")
    whole = detector.values(recording, last=True)
    assert len(whole) == -(-len(recording) // detector.step)
    other = VoiceActivity(RATE)
    parts = [other.values(part, last=False) for part in np.array_split(recording, 7)]
    parts.append(other.values(recording[:0], last=True))
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5)


def test_noise_is_no_speech_however_loud(detector: VoiceActivity) -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.1, 2 * RATE).astype("float32")
    assert detector.is_silent(detector.values(noise, last=True))
    blocks = iter([np.concatenate([noise, noise, noise])])
    assert list(pieces(blocks, Frames(RATE, 320, 400), Cutting(VAD, window=4, context=1))) == []


def test_probabilities_become_spans(detector: VoiceActivity) -> None:
    # speech begins at a half, and ends below 0.35
    values = np.array([0.1, 0.4, 0.6, 0.4, 0.3, 0.4, 0.9], np.float32)
    assert detector.pauses(values) == [(0, 2), (4, 6)]


@pytest.mark.parametrize(("rate", "step"), [(8_000, 256), (48_000, 1536)])
def test_other_rates(rate: int, step: int) -> None:
    need_the_package()
    detector = VoiceActivity(rate)
    assert detector.step == step
    assert len(detector.values(np.zeros(rate, np.float32), last=True)) == -(-rate // step)
    with pytest.raises(ValueError, match="supports 8,000 Hz and multiples of 16,000, the model has 22050"):
        VoiceActivity(22_050)


def test_the_package_is_not_imported(detector: VoiceActivity) -> None:
    assert "silero_vad" not in sys.modules  # importing it sets torch's number of threads to one


def test_without_the_package_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice_activity, "find_spec", lambda name: None)
    with pytest.raises(
        ValueError, match=r"`--cut vad` requires the package silero-vad: pip install 'silero-vad>=6\.2'"
    ):
        Cutting(VAD).detector(RATE)
