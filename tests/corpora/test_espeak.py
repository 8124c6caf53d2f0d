"""Speech from eSpeak NG: sample rates and voices."""

import numpy
import pytest

from data2vec_plugin.corpora.espeak import Espeak, resample


def test_resampling_keeps_a_tone_and_its_length() -> None:
    time = numpy.arange(22050) / 22050
    envelope = numpy.hanning(22050)
    for hertz, level in ((440, 1.0), (7000, 1.0), (9000, 0.0)):  # above 8 kHz nothing may be left
        tone = resample(envelope * numpy.sin(2 * numpy.pi * hertz * time), 22050, 16000)
        moments = numpy.arange(16000) / 16000
        shape = numpy.interp(moments, time, envelope)
        expected = level * shape * numpy.sin(2 * numpy.pi * hertz * moments)
        assert len(tone) == 16000
        assert numpy.abs(tone - expected).max() < 1e-3


def test_an_unknown_voice_is_refused() -> None:
    pytest.importorskip("espeakng_loader")
    with pytest.raises(ValueError, match="no voice 'en-zz'"):
        Espeak().say("two dogs run", "en-zz", 160, 50, 50)
