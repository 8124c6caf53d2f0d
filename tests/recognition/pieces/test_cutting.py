"""Recordings in pieces: nothing that is said is lost or heard twice, and frames at seams are those of the whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Iterator, List, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from data2vec_plugin.recognition.pieces.cutting import PAUSES, WINDOWS, Cutting, Frames, Piece, pieces

FRAMES = Frames(rate=1000, hop=20, shortest=25)
SHORT = Cutting(window=4.0, pause=0.4, margin=0.2, context=0.5)
Recording = NDArray[np.float32]


def speech(seconds: float, rng: np.random.Generator, level: float = 0.1) -> Recording:
    """Noise that rises and falls as syllables do."""
    time = np.arange(int(seconds * FRAMES.rate))
    return (rng.normal(0, level, len(time)) * (0.05 + np.abs(np.sin(time / 60)))).astype("float32")


def hiss(seconds: float, rng: np.random.Generator, level: float) -> Recording:
    return rng.normal(0, level, int(seconds * FRAMES.rate)).astype("float32") if level else silence(seconds)


def silence(seconds: float) -> Recording:
    return np.zeros(int(seconds * FRAMES.rate), "float32")


@st.composite
def recordings(draw: st.DrawFn) -> Recording:
    """Speech, sometimes for longer than a window, between pauses of noise or of nothing."""
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    level = draw(st.sampled_from([0.0, 1e-4, 1e-3]))
    parts = []
    for _ in range(draw(st.integers(0, 6))):
        parts.append(hiss(draw(st.sampled_from([0.0, 0.1, 0.5, 0.777, 1.3, 6.0])), rng, level))
        parts.append(speech(draw(st.sampled_from([0.01, 0.3, 0.555, 1.001, 3.0, 9.0])), rng))
    return np.concatenate([silence(0), *parts])


def in_blocks(recording: Recording, sizes: Sequence[int]) -> Iterator[Recording]:
    """The recording as it might be read."""
    start = 0
    for size in [*sizes, len(recording)]:
        if size and start < len(recording):
            yield recording[start : start + size]
        start += size


def cut(recording: Recording, cutting: Cutting, sizes: Sequence[int] = ()) -> List[Piece]:
    return list(pieces(in_blocks(recording, sizes), FRAMES, cutting))


ways = st.sampled_from([replace(SHORT, way=way) for way in (PAUSES, WINDOWS)])


@given(recordings(), ways, st.lists(st.integers(0, 3000), max_size=20))
@settings(max_examples=40)
def test_pieces_are_the_same_however_the_recording_is_read(
    recording: Recording, cutting: Cutting, sizes: List[int]
) -> None:
    whole, in_parts = cut(recording, cutting), cut(recording, cutting, sizes)
    assert [(each.start, each.first, each.count) for each in whole] == [
        (each.start, each.first, each.count) for each in in_parts
    ]
    assert all(np.array_equal(one.samples, other.samples) for one, other in zip(whole, in_parts))


@given(recordings(), ways)
@settings(max_examples=40)
def test_frames_that_count_follow_one_another_and_hold_all_that_is_loud(recording: Recording, cutting: Cutting) -> None:
    held = np.zeros(len(recording), int)
    behind = 0
    for piece in cut(recording, cutting):
        assert piece.start >= behind
        for row in range(piece.count):
            at = (piece.first + row) * FRAMES.hop
            heard = piece.samples[at : at + FRAMES.shortest]
            place = piece.start + row * FRAMES.hop
            assert np.array_equal(heard, recording[place : place + FRAMES.shortest])
        behind = piece.start + piece.count * FRAMES.hop
        held[piece.start : behind + FRAMES.shortest - FRAMES.hop] += 1
    loud = np.flatnonzero(np.abs(recording) > 0.05)
    ends = [piece.start + piece.count * FRAMES.hop for piece in cut(recording, cutting)]
    # less than a hop at the end of a piece is in no frame, as in a clip
    lost = [at for at in loud if not held[at] and not any(end <= at < end + FRAMES.shortest for end in ends)]
    assert len(recording) < FRAMES.shortest or not lost


@given(recordings(), ways)
@settings(max_examples=40)
def test_at_a_seam_both_sides_have_heard_the_other(recording: Recording, cutting: Cutting) -> None:
    found = cut(recording, cutting)
    context = int(cutting.context * FRAMES.rate) // FRAMES.hop
    for before, after in zip(found, found[1:]):
        if after.joined:
            assert after.start == before.start + before.count * FRAMES.hop
            assert after.first == min(context, before.first + before.count)
            beyond = FRAMES.count(len(before.samples)) - before.first - before.count
            left = FRAMES.count(len(recording) - after.start)
            assert beyond >= min(context, left) - 1
    longest = cutting.window + 2 * cutting.context + 1
    assert all(len(piece.samples) <= longest * FRAMES.rate for piece in found)


@given(recordings())
@settings(max_examples=30)
def test_windows_have_the_frames_of_the_whole(recording: Recording) -> None:
    found = cut(recording, replace(SHORT, way=WINDOWS))
    expected = FRAMES.count(len(recording))
    loud = bool((np.abs(recording) > 0.01).any())
    assert sum(piece.count for piece in found) == (expected if loud else 0)


def test_what_fits_is_not_cut() -> None:
    rng = np.random.default_rng(0)
    recording = np.concatenate([silence(1.0), speech(0.5, rng), silence(1.0), speech(1.5, rng)])
    (piece,) = cut(recording, SHORT)
    assert np.array_equal(piece.samples, recording)
    assert (piece.start, piece.first, piece.count) == (0, 0, FRAMES.count(len(recording)))


@pytest.mark.parametrize("level", [0.0, 1e-3])
def test_pauses_part_sentences(level: float) -> None:
    rng = np.random.default_rng(0)
    sentences = [speech(seconds, rng) for seconds in (1.5, 2.5, 0.7)]
    parts = [part for each in sentences for part in (hiss(0.8, rng, level), each)]
    found = cut(np.concatenate(parts), SHORT)
    assert len(found) == 3
    for piece, sentence in zip(found, sentences):
        extra = len(piece.samples) - len(sentence)
        # in what is exactly silent there is no margin
        assert extra <= 2 * 0.2 * FRAMES.rate + 20 if level else extra <= 0
        assert not piece.joined


@pytest.mark.parametrize("seconds", [1.0, 9.0])
def test_silence_has_no_piece(seconds: float) -> None:
    for way in (PAUSES, WINDOWS):
        found = cut(silence(seconds), replace(SHORT, way=way))
        assert found == [] or (way == WINDOWS and seconds > SHORT.window)


def test_steady_noise_is_a_pause_and_soft_speech_is_not() -> None:
    rng = np.random.default_rng(0)
    soft = speech(2.0, rng, level=0.004)
    recording = np.concatenate([speech(3.0, rng), hiss(2.0, rng, 5e-4), soft, hiss(2.0, rng, 5e-4), speech(2.0, rng)])
    found = cut(recording, SHORT)
    held = [(piece.start, piece.start + piece.count * FRAMES.hop) for piece in found]
    assert any(start <= 5_100 and end >= 6_900 for start, end in held), held
    assert not any(start < 4_000 < end for start, end in held), held


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"way": "words"}, "`--cut` is 'words'; expected pauses, vad, windows"),
        ({"window": 1.0}, "`--window` is 1; expected 2 seconds or more"),
        ({"pause": 0.01}, r"`--pause` is 0\.01; expected 0\.1 seconds or more"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(SHORT, **wrong).check()  # type: ignore[arg-type]
