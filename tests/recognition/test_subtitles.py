"""Subtitles of any words: in order, apart, whole, and within what can be read."""

from __future__ import annotations

import re
from typing import List

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data2vec_plugin.recognition.subtitles import (
    APART,
    LINE,
    LONGEST,
    PAUSE,
    SHORTEST,
    SPEED,
    Cue,
    columns,
    cues_of,
    srt,
    vtt,
)
from data2vec_plugin.recognition.timed_words import TimedWord, ctm

LETTERS = st.sampled_from("AEIOU'<>&-é한हि\u0301")


@st.composite
def spoken(draw: st.DrawFn) -> List[TimedWord]:
    """Words in order, some at once after one another, some after pauses, some far too long for a line."""
    words, time = [], draw(st.floats(0, 5000))
    for _ in range(draw(st.integers(0, 40))):
        time += draw(st.sampled_from([0.0, 0.02, 0.1, PAUSE, 3.0]))
        length = draw(st.sampled_from([0.02, 0.2, 0.5, 9.0]))
        text = draw(st.text(LETTERS, min_size=1, max_size=8)) * draw(st.sampled_from([1, 1, 1, 2, 30]))
        words.append(TimedWord(text, time, time + length, 0.5))
        time += length
    return words


@settings(max_examples=40)
@given(spoken())
def test_any_words_become_subtitles_that_can_be_read(words: List[TimedWord]) -> None:
    cues = cues_of(words)
    assert "".join("".join(cue.lines) for cue in cues).replace(" ", "") == "".join(word.text for word in words)
    assert all(0 <= cue.start < cue.end for cue in cues)
    assert all(before.end <= after.start for before, after in zip(cues, cues[1:]))
    assert all(len(cue.lines) <= 2 for cue in cues)
    assert all(columns(line) <= LINE for cue in cues for line in cue.lines)
    assert all(cue.end - cue.start <= 1000 * LONGEST + 1 for cue in cues)


@settings(max_examples=40)
@given(spoken())
def test_a_subtitle_stays_until_it_is_read_or_the_next_one_begins(words: List[TimedWord]) -> None:
    cues = cues_of(words)
    for cue, following in zip(cues, [*cues[1:], None]):
        readable = max(SHORTEST, columns(" ".join(cue.lines)) / SPEED)
        until = cue.start + 1000 * min(readable, LONGEST)
        if following is not None:
            until = min(until, following.start - 1000 * APART)
        assert cue.end >= until - 2


@settings(max_examples=40)
@given(spoken())
def test_no_subtitle_goes_on_over_a_pause(words: List[TimedWord]) -> None:
    starts = {cue.start for cue in cues_of(words)}
    for before, after in zip(words, words[1:]):
        if after.start - before.end >= PAUSE and after.text:
            assert any(abs(start - 1000 * after.start) <= 1 for start in starts)


def said(text: str, start: float = 0.0, pace: float = 0.3) -> List[TimedWord]:
    return [TimedWord(word, start + pace * at, start + pace * (at + 1), 1.0) for at, word in enumerate(text.split())]


def test_a_phrase_is_cut_where_the_speaker_pauses() -> None:
    first = said("IT WAS THE BEST OF TIMES IT WAS THE WORST OF TIMES")
    second = said("IT WAS THE AGE OF WISDOM IT WAS THE AGE OF FOOLISHNESS", first[-1].end + 0.4)
    assert [cue.lines for cue in cues_of([*first, *second])] == [
        ("IT WAS THE BEST OF TIMES", "IT WAS THE WORST OF TIMES"),
        ("IT WAS THE AGE OF WISDOM IT", "WAS THE AGE OF FOOLISHNESS"),
    ]


def test_nothing_said_is_no_subtitle() -> None:
    assert cues_of([]) == []
    assert (srt([]), vtt([])) == ("", "WEBVTT\n\n")


def test_files_as_players_read_them() -> None:
    cues = [Cue(1_500, 2_750, ("ROCK & ROLL <3", "A --> B")), Cue(3_600_000, 3_601_000, ("YES",))]
    assert srt(cues) == (
        "1\n00:00:01,500 --> 00:00:02,750\nROCK & ROLL <3\nA → B\n\n2\n01:00:00,000 --> 01:00:01,000\nYES\n\n"
    )
    assert vtt(cues) == (
        "WEBVTT\n\n00:00:01.500 --> 00:00:02.750\nROCK &amp; ROLL &lt;3\nA --&gt; B\n\n"
        "01:00:00.000 --> 01:00:01.000\nYES\n\n"
    )


@settings(max_examples=40)
@given(spoken())
def test_every_time_line_of_a_file_is_a_cue(words: List[TimedWord]) -> None:
    cues = cues_of(words)
    for text in (srt(cues), vtt(cues)):
        assert len(re.findall(r"^\d\d:\d\d:\d\d[.,]\d{3} --> \d\d:\d\d:\d\d[.,]\d{3}$", text, re.M)) == len(cues)
        assert text.count("-->") == len(cues)


def test_ctm_is_a_table_of_six_columns() -> None:
    lines = ctm("my file", [*said("ONE TWO"), TimedWord("NEW YORK", 1.0, 1.5, 0.25)]).splitlines()
    assert [line.split() for line in lines] == [
        ["my_file", "1", "0.000", "0.300", "ONE", "1.000"],
        ["my_file", "1", "0.300", "0.300", "TWO", "1.000"],
        ["my_file", "1", "1.000", "0.500", "NEW_YORK", "0.250"],
    ]


@pytest.mark.parametrize("text", ["A" * 100, "한" * 50, "A" + "\u0301" * 90 + "B" * 60])
def test_writing_without_blanks_is_cut_to_lines(text: str) -> None:
    cues = cues_of([TimedWord(text, 0.0, 6.0, 1.0)])
    assert "".join("".join(cue.lines) for cue in cues).replace(" ", "") == text
    assert max(columns(line) for cue in cues for line in cue.lines) <= LINE
