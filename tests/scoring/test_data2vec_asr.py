"""Corpus error rates, from letters as fairseq prints them and from words."""

import pytest

from data2vec_plugin.scoring.data2vec_asr import AsrScorer


@pytest.mark.parametrize(
    ("reference", "prediction"),
    [("T H E | C A T |", "T H E | C A R S |"), ("THE CAT", "THE CARS")],
)
def test_rates_are_errors_over_the_corpus(reference: str, prediction: str) -> None:
    scorer = AsrScorer(None)
    scorer.add_string(reference, prediction)
    scorer.add_string("A |" if "|" in reference else "A", "A |" if "|" in reference else "A")
    assert scorer.score() == pytest.approx(100 / 3)
    # T -> R and an added S, of 8 + 2 characters with the word ends
    assert scorer.result_string() == (
        "WER 33.33 % (1 errors in 3 words) | CER 20.00 % (2 errors in 10 characters) | 2 utterances"
    )


@pytest.mark.parametrize(
    ("reference", "prediction"), [("T E S T |", "T <unk> S T |"), ("TEST", "T<unk>ST"), ("T<<unk>>ST", "TEST")]
)
def test_an_unknown_symbol_is_one_character(reference: str, prediction: str) -> None:
    scorer = AsrScorer(None)
    scorer.add_string(reference, prediction)
    assert (scorer.character_errors, scorer.characters) == (1, 5)
    assert scorer.score() == 100


def test_letters_without_a_word_end_are_one_word() -> None:
    scorer = AsrScorer(None)
    scorer.add_string("T H E |", "T H E")
    assert scorer.score() == 0
    assert scorer.character_errors == 1


def test_an_empty_prediction_misses_everything() -> None:
    scorer = AsrScorer(None)
    scorer.add_string("A | B |", "")
    assert scorer.score() == 100


def test_no_words_at_all_is_no_error() -> None:
    assert AsrScorer(None).score() == 0
