"""Times of words from what a model says and when nobody spoke; scores that tell other texts."""

from __future__ import annotations

from typing import List

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data2vec_plugin.alignment.hearing import Heard, hear
from data2vec_plugin.alignment.spelling_out import Speller, case_of
from data2vec_plugin.alignment.textgrid import textgrid
from data2vec_plugin.alignment.timing import Alignment, align_text
from data2vec_plugin.recognition.timed_words import TimedWord

SYMBOLS = ["<s>", "<pad>", "</s>", "<unk>", "|", "E", "T", "A", "O", "N"]
SECONDS = 0.02


def said(frames: str, pauses: list[tuple[float, float]] | None = None) -> Heard:
    """What a model says that is nearly sure: a symbol a frame, ``_`` the blank."""
    emissions = torch.full((len(frames), len(SYMBOLS)), -9.0)
    for at, symbol in enumerate(frames):
        emissions[at, 0 if symbol == "_" else SYMBOLS.index(symbol)] = -0.01
    middles = SECONDS * (np.arange(len(frames)) + 0.5)
    return Heard(emissions, middles, pauses or [], SECONDS * len(frames))


def aligned(heard: Heard, text: str) -> Alignment:
    return align_text(heard, text, Speller(SYMBOLS), SYMBOLS, 0)


def test_words_meet_at_their_boundary_and_letters_fill_them() -> None:
    found = aligned(said("__TT_A_|_N__O_|__"), "ta no")
    first, second = found.words
    assert (first.word.text, second.word.text) == ("TA", "NO")
    assert first.word.start == pytest.approx(0.05 - 0.04)
    assert first.word.end == second.word.start == pytest.approx(0.15)
    assert second.word.end == pytest.approx(14.5 * SECONDS)
    for word in found.words:
        edges = [word.word.start, *(letter.end for letter in word.letters)]
        assert edges == pytest.approx([*(letter.start for letter in word.letters), word.word.end])
    assert found.heard == "TA NO"
    assert found.score == pytest.approx(0)
    assert [word.text for word in found.written] == ["ta", "no"]


def test_a_word_does_not_reach_across_a_pause() -> None:
    frames = "_T_A_" + 20 * "_" + "|_" + 20 * "_" + "N_O_|"
    first, second = aligned(said(frames), "TA NO").words
    assert first.word.end == pytest.approx(3.5 * SECONDS + 0.12)
    assert second.word.start == pytest.approx(47.5 * SECONDS - 0.12)
    pause = (0.09, 0.9)
    first, second = aligned(said(frames, [pause]), "TA NO").words
    assert (first.word.end, second.word.start) == pytest.approx(pause)


def test_letters_that_a_model_puts_into_silence_are_looked_for_behind_it() -> None:
    heard = said("T" + 30 * "_" + "_A__|_")
    heard.emissions[33, SYMBOLS.index("T")] = -4.0
    heard.emissions[32, SYMBOLS.index("T")] = -4.0
    (early,) = aligned(heard, "TA").words
    (late,) = aligned(Heard(heard.emissions, heard.middles, [(0.0, 0.6)], heard.seconds), "TA").words
    assert early.word.start < 0.05
    assert late.word.start >= 0.55


def test_a_text_that_is_not_the_recordings_scores_less() -> None:
    heard = said("_T_A_|_N_O_|_")
    own, *others = (aligned(heard, text).score for text in ("TA NO", "TA NE", "TA", "TA NO ET"))
    assert all(other < own - 0.5 for other in others)


@settings(max_examples=60)
@given(
    st.lists(st.text("ETAON", min_size=1, max_size=4), min_size=1, max_size=5),
    st.lists(st.tuples(st.floats(0, 2), st.floats(0, 0.5)), max_size=3),
    st.integers(0, 99),
)
def test_times_are_in_order_whatever_is_heard(words: List[str], pauses: List[tuple[float, float]], seed: int) -> None:
    frames = 3 * sum(map(len, words)) + 3 * len(words)
    noise = torch.randn(frames, len(SYMBOLS), generator=torch.Generator().manual_seed(seed)).log_softmax(-1)
    heard = Heard(noise, SECONDS * (np.arange(frames) + 0.5), [(a, a + b) for a, b in pauses], SECONDS * frames)
    found = aligned(heard, " ".join(words))
    assert [each.word.text for each in found.words] == words
    edges = [edge for each in found.words for edge in (each.word.start, each.word.end)]
    assert edges == sorted(edges)
    assert edges[0] >= 0
    assert all(each.word.end > each.word.start for each in found.words)
    assert all("".join(letter.text for letter in each.letters) == each.word.text for each in found.words)
    assert found.score <= 1e-6


def test_texts_get_the_case_of_the_dictionary_and_what_it_lacks_is_named() -> None:
    speller = Speller(SYMBOLS)
    spelled = speller.spell("Ta, no-one… 7")
    assert spelled.words == ["TA", "NO", "ONE"]
    assert spelled.written == [("Ta,", 1), ("no-one…", 2)]
    assert speller.losses.dropped["7"] == 1
    with pytest.raises(ValueError, match="lacks 'Q', 'X'; it has A E N O T"):
        speller.spell("tax q")
    with pytest.raises(ValueError, match="no words"):
        speller.spell("- 12 -")
    assert case_of("ABÉ") == "upper"
    assert case_of("한국어") == "keep"


def test_pieces_make_up_a_word() -> None:
    speller = Speller(["<s>", "<pad>", "</s>", "<unk>", "▁no", "▁", "n", "o", "on", "e", "one"])
    assert speller.boundary is None
    assert speller.spell("noone noon").rows == [[4, 10], [4, 8]]
    with pytest.raises(ValueError, match="lacks 'not'"):
        speller.spell("not")


def test_without_a_boundary_words_meet_halfway() -> None:
    symbols = ["<s>", "▁no", "▁on"]
    emissions = torch.full((9, 3), -9.0)
    for at, row in enumerate([0, 1, 0, 0, 0, 2, 2, 0, 0]):
        emissions[at, row] = -0.01
    heard = Heard(emissions, SECONDS * (np.arange(9) + 0.5), [], 9 * SECONDS)
    first, second = align_text(heard, "no on", Speller(symbols), symbols, 0).words
    assert first.word.end == second.word.start == pytest.approx((1.5 + 5.5) / 2 * SECONDS)


def test_textgrid_has_no_gaps_and_doubles_quotes() -> None:
    words = [TimedWord('a"b', 0.5, 0.75, 1), TimedWord("c", 0.75, 0.9, 1)]
    lines = [line.strip() for line in textgrid([("words", words)], 1.0).splitlines()]
    assert 'text = "a""b"' in lines
    assert "intervals: size = 4" in lines
    assert "xmax = 1.0000" in lines
    starts = [line[7:] for line in lines if line.startswith("xmin") and line != "xmin = 0"]
    ends = [line[7:] for line in lines if line.startswith("xmax")][2:]
    assert starts == ["0.0000", "0.5000", "0.7500", "0.9000"]
    assert ends == [*starts[1:], "1.0000"]


class OneFrameEach:
    """A recogniser that says of each ten samples whether they are loud."""

    name = digest = "loud"
    symbols, blank, sample_rate, normalize, hop, shortest, like_only = ["<s>", "A"], 0, 1000, False, 10, 10, False

    def emissions(self, clips: List[np.ndarray]) -> List[torch.Tensor]:
        loud = [np.abs(clip[: len(clip) // 10 * 10].reshape(-1, 10)).max(1) > 0.5 for clip in clips]
        return [torch.from_numpy(np.stack([np.where(each, -9.0, 0.0), np.where(each, 0.0, -9.0)], 1)) for each in loud]


def test_frames_of_long_recordings_are_where_they_were() -> None:
    samples = np.random.default_rng(0).normal(0, 0.01, 90_000).astype("float32")
    places = [1_000, 30_005, 61_234, 88_000]
    for place in places:
        samples[place : place + 10] = 0.9
    heard = hear(OneFrameEach(), samples)  # type: ignore[arg-type]
    loud = heard.middles[heard.emissions.argmax(-1).numpy() == 1]
    assert heard.seconds == pytest.approx(90)
    for place in places:
        assert np.abs(loud - (place + 5) / 1000).min() <= 0.0101
