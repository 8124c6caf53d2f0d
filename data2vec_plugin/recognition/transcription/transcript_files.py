"""A transcript as a file: plain text, JSON, subtitles, or a table of words."""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, List, Mapping, Sequence

from ..subtitles import cues_of, srt, vtt
from ..timed_words import TimedWord, ctm
from .transcript import Reading, Segment, Transcript

Made = Mapping[str, object]
"""The settings a transcript was made with."""


def as_text(name: str, transcript: Transcript, made: Made) -> str:
    """The words as one line."""
    return transcript.text + "\n"


def as_json(name: str, transcript: Transcript, made: Made) -> str:
    """JSON with everything: words with times in seconds and confidence, segments with all hypotheses, the settings."""
    content = {
        "file": name,
        "duration": rounded(transcript.seconds),
        "text": transcript.text,
        "words": [word_entry(word) for word in transcript.words],
        "segments": [segment_entry(segment) for segment in transcript.segments],
        "made_with": dict(made),
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def as_srt(name: str, transcript: Transcript, made: Made) -> str:
    """SubRip."""
    return srt(cues_of(transcript.words))


def as_vtt(name: str, transcript: Transcript, made: Made) -> str:
    """WebVTT."""
    return vtt(cues_of(transcript.words))


def as_ctm(name: str, transcript: Transcript, made: Made) -> str:
    """NIST's CTM."""
    return ctm(name, transcript.words)


FORMATS: Dict[str, Callable[[str, Transcript, Made], str]] = {
    "txt": as_text,
    "json": as_json,
    "srt": as_srt,
    "vtt": as_vtt,
    "ctm": as_ctm,
}


def parse_formats(text: str) -> List[str]:
    """``"txt,srt"`` -> ["txt", "srt"]; raises ValueError for an unknown one."""
    names = [name.strip() for name in text.split(",")]
    wrong = [name for name in names if name not in FORMATS]
    if wrong:
        raise ValueError(f"`--format` is {text!r}; expected {', '.join(FORMATS)}, separated by commas")
    return sorted(set(names), key=list(FORMATS).index)


def word_entry(word: TimedWord) -> Dict[str, Any]:
    """A word for JSON."""
    times = {"start": rounded(word.start), "end": rounded(word.end)}
    return {"word": word.text, **times, "confidence": rounded(word.confidence)}


def segment_entry(segment: Segment) -> Dict[str, Any]:
    """A segment for JSON."""
    times = {"start": rounded(segment.start), "end": rounded(segment.end)}
    return {**times, "nbest": [reading_entry(reading) for reading in segment.readings]}


def reading_entry(reading: Reading) -> Dict[str, Any]:
    """A hypothesis for JSON."""
    return {"text": reading.text, "score": rounded(reading.score)}


def rounded(value: float) -> float:
    """A number rounded to thousandths."""
    return round(value, 3)


def names_of_outputs(name: str, formats: Sequence[str]) -> List[str]:
    """The files of one recording, below the output folder."""
    return [f"{name}.{each}" for each in formats]
