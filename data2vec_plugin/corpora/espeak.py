"""Speech from eSpeak NG (pip package `espeakng-loader`) through its C interface."""

from __future__ import annotations

import ctypes
import math
from typing import Any, List

import numpy
from numpy.typing import NDArray


class _Event(ctypes.Structure):
    """An event that eSpeak reports during synthesis (`espeak_EVENT` in its speak_lib.h)."""

    _fields_ = (
        ("kind", ctypes.c_int),
        ("identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("milliseconds", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("name", ctypes.c_char * 8),
    )


class Espeak:
    """eSpeak NG through its C interface. Its state belongs to the process: use one voice per process.

    ``word_starts`` describe the last utterance: the first sample of each word, and the sample after the end.
    """

    _CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))
    _LAST_EVENT, _WORD, _END = 0, 1, 5
    _SYNCHRONOUS, _DONT_EXIT = 2, 0x8000
    _RATE, _PITCH, _RANGE = 1, 3, 4
    _UTF8 = 1

    def __init__(self, seed: int = 1) -> None:
        try:
            import espeakng_loader
        except ImportError as error:
            raise ValueError("the quickstart's speech requires eSpeak NG: pip install espeakng-loader") from error

        self._library = ctypes.CDLL(str(espeakng_loader.get_library_path()))
        data = str(espeakng_loader.get_data_path()).encode()
        self.sample_rate: int = self._library.espeak_Initialize(self._SYNCHRONOUS, 0, data, self._DONT_EXIT)
        if self.sample_rate <= 0:
            raise RuntimeError(f"eSpeak NG found no data in {data.decode()}; reinstall the package")
        self._chunks: List[bytes] = []
        self.word_starts: List[int] = []
        self._callback = self._CALLBACK(self._collect)  # kept: C holds only a pointer to it
        self._library.espeak_SetSynthCallback(self._callback)
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(seed))

    def _collect(self, samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            self._chunks.append(ctypes.string_at(samples, 2 * count))
        for event in events:  # the last one marks the end of the list
            if event.kind == self._LAST_EVENT:
                break
            if event.kind in (self._WORD, self._END):
                self.word_starts.append(event.sample)
        return 0

    def say(self, text: str, voice: str, rate: int, pitch: int, range_: int) -> bytes:
        """Return int16 samples at `self.sample_rate`.

        Raises:
            ValueError: eSpeak has no such voice.
        """
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"eSpeak NG has no voice {voice!r}; expected e.g. 'en-us+f2'")
        for parameter, value in ((self._RATE, rate), (self._PITCH, pitch), (self._RANGE, range_)):
            self._library.espeak_SetParameter(parameter, value, 0)
        self._chunks.clear()
        self.word_starts.clear()
        encoded = text.encode() + b"\0"
        self._library.espeak_Synth(encoded, len(encoded), 0, 1, 0, self._UTF8, None, None)
        self._library.espeak_Synchronize()
        return b"".join(self._chunks)


def resample(samples: NDArray[numpy.float64], source: int, target: int) -> NDArray[numpy.float64]:
    """Change the rate of a clip (float, one channel) by cutting its spectrum: exact, no filter."""
    factor = math.gcd(source, target)
    blocks = -(-len(samples) * factor // source) + 1  # one block of silence against wrap-around
    before, after = blocks * source // factor, blocks * target // factor
    spectrum = numpy.fft.rfft(samples, before)[: after // 2 + 1]
    length = round(len(samples) * target / source)
    resampled: NDArray[numpy.float64] = numpy.fft.irfft(spectrum, after)[:length] * (after / before)
    return resampled
