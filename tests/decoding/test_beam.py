"""Beam search beside a search through all paths; lexicons and language models that cannot be used."""

import itertools
import math
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import pytest
import torch

pytest.importorskip("flashlight.lib.text.decoder")

from data2vec_plugin.decoding.beam import BeamDecoder
from data2vec_plugin.decoding.decoded import Decoded, runs
from data2vec_plugin.decoding.options import BeamOptions
from data2vec_plugin.decoding.words import words_of
from data2vec_plugin.files.unusable import UnusableFileError

LETTERS = ["_", "|", "A", "B"]
BLANK = 0
ARPA = """\\data\\
ngram 1=5
ngram 2=3

\\1-grams:
-1.3\t<unk>
-99\t<s>\t-0.3
-0.5\t</s>
-0.6\tAB\t-0.2
-0.9\tBA\t-0.1

\\2-grams:
-0.1\t<s> AB
-0.2\tAB BA
-0.3\tBA </s>

\\end\\
"""
LOG10 = {"AB": (-0.6, -0.2), "BA": (-0.9, -0.1), "</s>": (-0.5, 0.0), "A": (-1.3, 0.0), "<s>": (-99.0, -0.3)}
PAIRS = {("<s>", "AB"): -0.1, ("AB", "BA"): -0.2, ("BA", "</s>"): -0.3}
SPELLINGS = {"AB": "AB|", "BA": "BA|", "A": "A|"}


def random_emissions(frames: int, symbols: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (2 * torch.randn(frames, symbols, generator=generator)).log_softmax(-1)


def path_of(emissions: torch.Tensor, path: Sequence[int]) -> float:
    return sum(float(emissions[t, symbol]) for t, symbol in enumerate(path))


def read(path: Sequence[int], blank: int = BLANK) -> Tuple[int, ...]:
    return tuple(symbol for symbol, _, _ in runs(list(path)) if symbol != blank)


def best_paths(emissions: torch.Tensor) -> Dict[Tuple[int, ...], float]:
    """The best path's score of every text, by trying all paths."""
    best: Dict[Tuple[int, ...], float] = {}
    for path in itertools.product(range(emissions.shape[1]), repeat=len(emissions)):
        text = read(path)
        best[text] = max(best.get(text, -math.inf), path_of(emissions, path))
    return best


def log10_of(words: Sequence[str]) -> float:
    """What the language model above says of a sentence, by its backing off."""
    total = 0.0
    for before, word in zip(["<s>", *words], [*words, "</s>"]):
        total += PAIRS.get((before, word), LOG10[before][1] + LOG10[word][0])
    return total


@pytest.fixture
def lexicon(tmp_path: Path) -> Path:
    path = tmp_path / "lexicon.txt"
    path.write_text("".join(f"{word}\t{' '.join(spelling)}\n" for word, spelling in SPELLINGS.items()))
    return path


@pytest.fixture
def arpa(tmp_path: Path) -> Path:
    path = tmp_path / "words.arpa"
    path.write_text(ARPA)
    return path


def wide(**options: Any) -> BeamOptions:
    """A beam in which nothing of these tests is lost."""
    return BeamOptions(beam=5000, beam_threshold=1000.0, **options)


def decode(emissions: torch.Tensor, symbols: Sequence[str] = LETTERS, **options: Any) -> List[Decoded]:
    return BeamDecoder(wide(**options), symbols, BLANK).decode(emissions)


@pytest.mark.parametrize("seed", range(3))
def test_without_a_lexicon_the_best_texts_are_those_of_all_paths(seed: int) -> None:
    emissions = random_emissions(5, 4, seed)
    expected = sorted(best_paths(emissions).items(), key=lambda item: -item[1])[:4]
    found = decode(emissions, nbest=4)
    assert [tuple(each.tokens) for each in found] == [text for text, _ in expected]
    assert [each.score for each in found] == pytest.approx([score for _, score in expected], rel=1e-4)


def in_words(text: Sequence[int]) -> Optional[List[str]]:
    """Words of a text that ends each with the boundary, or None if it has others than the lexicon's."""
    letters = "".join(LETTERS[symbol] for symbol in text)
    words = [word for word in letters.split("|") if word]
    closed = letters.endswith("|") or not words
    return words if closed and set(words) <= set(SPELLINGS) else None


@pytest.mark.parametrize("with_model", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_with_a_lexicon_the_best_sentence_is_that_of_all_paths(
    seed: int, with_model: bool, lexicon: Path, arpa: Path
) -> None:
    emissions = random_emissions(6, 4, seed)
    emissions[:, 1] += 1.5  # so that several words fit
    sums: Dict[Tuple[str, ...], float] = {}
    for text, score in best_paths(emissions).items():
        words = in_words(text)
        if words is not None:
            total = score - 0.5 * len(words) + (2.0 * log10_of(words) if with_model else 0.0)
            sums[tuple(words)] = max(sums.get(tuple(words), -math.inf), total)
    best, score = max(sums.items(), key=lambda item: item[1])
    options = {"lm_model": arpa, "lm_weight": 2.0} if with_model else {}
    first, *_ = decode(emissions, lexicon=lexicon, word_score=-0.5, **options)
    assert tuple(first.words or ()) == best
    assert first.score == pytest.approx(score, rel=1e-4)
    assert [word.text for word in words_of(first, LETTERS)] == list(best)


def spoken(path: str, symbols: Sequence[str], certainty: float = 0.9) -> torch.Tensor:
    probs = torch.full((len(path), len(symbols)), (1 - certainty) / (len(symbols) - 1))
    for t, symbol in enumerate(path):
        probs[t, list(symbols).index(symbol)] = certainty
    return probs.log()


def test_times_are_those_of_the_path(lexicon: Path) -> None:
    (found,) = decode(spoken("_AAB|__BA||_", LETTERS), lexicon=lexicon, word_score=0.0)
    assert found.words == ["AB", "BA"]
    assert (found.frames, found.ends) == ([1, 3, 4, 7, 8, 9], [3, 4, 5, 8, 9, 11])
    assert found.word_ends == [3, 6]
    assert found.scores == pytest.approx([math.log(0.9)] * 6)


def test_a_doubled_boundary_and_a_word_cut_off_are_not_read(lexicon: Path) -> None:
    (found,) = decode(spoken("|_A|_|BA|A", LETTERS), lexicon=lexicon, word_score=0.0)
    assert "".join(LETTERS[token] for token in found.tokens) == "A|BA|"


def test_a_spelling_without_the_boundary_gets_it(tmp_path: Path) -> None:
    path = tmp_path / "bare.txt"
    path.write_text("AB A B\n")
    (found,) = decode(spoken("AB|AB|", LETTERS), lexicon=path, word_score=0.0)
    assert found.words == ["AB", "AB"]
    assert "".join(LETTERS[token] for token in found.tokens) == "AB|AB|"


def test_without_a_boundary_words_end_with_their_last_symbol(tmp_path: Path) -> None:
    symbols = ["_", "x", "y"]
    path = tmp_path / "syllables.txt"
    path.write_text("eks x\nexy x y\n")
    (found,) = decode(spoken("_xx_xxyyy_x", symbols), symbols, lexicon=path, word_score=0.0)
    assert found.words == ["eks", "exy", "eks"]
    assert (found.frames, found.ends) == ([1, 4, 6, 10], [3, 6, 9, 11])
    with pytest.raises(ValueError, match=r"--sil-weight.*no boundary"):
        decode(spoken("x", symbols), symbols, sil_weight=1.0)


def test_a_language_model_of_letters_decodes_with_a_lexicon_and_without(tmp_path: Path, lexicon: Path) -> None:
    path = tmp_path / "letters.arpa"
    path.write_text(
        "\\data\\\nngram 1=6\nngram 2=1\n\n\\1-grams:\n-2\t<unk>\n-99\t<s>\t0\n-0.5\t</s>\n-0.3\tA\t0\n-3\tB\t0\n"
        "-0.3\t|\t0\n\n\\2-grams:\n-0.3\tA |\n\n\\end\\\n"
    )
    unsure = spoken("A|", LETTERS)
    unsure[0] = torch.tensor([0.02, 0.02, 0.46, 0.5]).log()
    assert decode(unsure)[0].tokens == [3, 1]
    assert decode(unsure, lm_model=path, lm_weight=1.0)[0].tokens == [2, 1]
    assert decode(unsure, lm_model=path, lm_weight=1.0, lexicon=lexicon)[0].words == ["A"]


def test_nothing_to_read_is_an_empty_reading(lexicon: Path) -> None:
    for options in ({}, {"lexicon": lexicon}):
        (found,) = decode(torch.zeros(0, 4), **options)
        assert found.tokens == (found.words or []) == []
    assert decode(spoken("__", LETTERS), lexicon=lexicon)[0].words == []


def test_emissions_of_another_dictionary_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected \(frames, 4\)"):
        decode(torch.zeros(3, 5))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("AB A B |\nBA\n", "line 2.*without a spelling"),
        ("AB A B |\n\nBAD B A D |\n", "line 3.*'D'"),
        ("\n", "no words"),
    ],
)
def test_a_lexicon_that_cannot_be_used_is_told_with_its_line(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "lexicon.txt"
    path.write_text(text)
    with pytest.raises(UnusableFileError, match=f"{path}.*{fault}"):
        decode(torch.zeros(1, 4), lexicon=path)


def test_a_language_model_over_another_alphabet_is_told(tmp_path: Path, arpa: Path) -> None:
    other = tmp_path / "lexicon.txt"
    other.write_text("ab A B |\nba B A |\n")
    with pytest.raises(UnusableFileError, match=r"none of the 2 words of the lexicon.*Its words are AB, BA"):
        decode(torch.zeros(1, 4), lexicon=other, lm_model=arpa)
    with pytest.raises(UnusableFileError, match="requires a lexicon: give `--lexicon`"):
        decode(torch.zeros(1, 4), lm_model=arpa)


def test_words_that_a_language_model_lacks_are_counted(
    lexicon: Path, arpa: Path, caplog: pytest.LogCaptureFixture
) -> None:
    decode(torch.zeros(1, 4), lexicon=lexicon, lm_model=arpa)
    assert "1 of 3 words of the lexicon (33.3%) are unknown to it: A" in caplog.text


def test_kenlms_binary_says_the_same_and_is_told_where_it_is_cut(lexicon: Path, arpa: Path, tmp_path: Path) -> None:
    whole = Path(__file__).resolve().parents[1] / "fixtures" / "kenlm" / "words.trie"
    emissions = random_emissions(9, 4, 0)
    by_text, by_binary = (decode(emissions, lexicon=lexicon, lm_model=path) for path in (arpa, whole))
    assert by_binary[0].words == by_text[0].words
    assert by_binary[0].score == pytest.approx(by_text[0].score, rel=1e-5)
    cut = tmp_path / "cut.bin"
    cut.write_bytes(whole.read_bytes()[:-100])
    with pytest.raises(UnusableFileError, match=f"{cut}.*KenLM cannot read it"):
        decode(emissions, lexicon=lexicon, lm_model=cut)


def test_a_file_that_kenlm_cannot_read_is_named(tmp_path: Path, lexicon: Path, arpa: Path) -> None:
    arpa.write_text(ARPA.replace("-0.9\tBA", "minus\tBA"))
    with pytest.raises(UnusableFileError, match=f"{arpa}.*KenLM cannot read it"):
        decode(torch.zeros(1, 4), lexicon=lexicon, lm_model=arpa)
