"""Probabilities of our own n-gram models add up, back off, and are what KenLM reads."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

import pytest

from data2vec_plugin.corpora.kneser_ney import KneserNey
from data2vec_plugin.files.text.arpa import check_arpa

SENTENCES = [
    line.split()
    for line in (
        "six dogs jump over the river",
        "six green dogs jump",
        "nine quick dogs sleep under the bridge",
        "three cats run behind the house",
        "two small horses sleep under the bridge",
        "four foxes wait under the window",
        "three young horses wait over the river",
        "seven red foxes run over the bridge",
        "six dogs jump over the house",
        "six dogs jump",
        "a",
    )
]
KENLM = Path(__file__).resolve().parents[1] / "fixtures" / "kenlm"
HELD_OUT = [line.split() for line in ("six dogs wait over the bridge", "zebras jump", "the the")]


class Arpa:
    """An ARPA file as its format is defined: what is not listed is backed off to."""

    def __init__(self, text: str) -> None:
        self.probability: Dict[Tuple[str, ...], float] = {}
        self.backoff: Dict[Tuple[str, ...], float] = {}
        for line in text.splitlines():
            cells = line.split("\t")
            if len(cells) > 1:
                gram = tuple(cells[1].split(" "))
                self.probability[gram] = float(cells[0])
                self.backoff[gram] = float(cells[2]) if len(cells) > 2 else 0.0
        self.words = [gram[0] for gram in self.probability if len(gram) == 1 and gram != ("<s>",)]
        self.order = max(map(len, self.probability))

    def log10(self, context: Sequence[str], word: str) -> float:
        context = tuple(context)[max(0, len(context) - self.order + 1) :]
        if (*context, word) in self.probability:
            return self.probability[(*context, word)]
        return self.backoff.get(context, 0.0) + self.log10(context[1:], word)

    def of_sentence(self, sentence: List[str]) -> float:
        words = ["<s>", *(word if (word,) in self.probability else "<unk>" for word in sentence), "</s>"]
        return sum(self.log10(words[:at], words[at]) for at in range(1, len(words)))


def written(model: KneserNey) -> str:
    file = io.StringIO()
    model.write(file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("order", "prune", "vocabulary"),
    [(2, [], None), (3, [], None), (4, [0, 0, 1], None), (3, [0, 1], None), (3, [], {"six", "dogs", "the", "jump"})],
)
def test_what_may_follow_a_context_adds_up_to_one(order: int, prune: List[int], vocabulary: set[str] | None) -> None:
    arpa = Arpa(written(KneserNey(SENTENCES, order, prune, vocabulary)))
    contexts = {gram[:-1] for gram in arpa.probability} | {gram for gram in arpa.probability if gram[-1] != "</s>"}
    assert ("<s>", "six")[: order - 1] in contexts
    for context in (*contexts, ("never", "seen")):
        total = sum(10 ** arpa.log10(context, word) for word in arpa.words)
        assert total == pytest.approx(1, abs=1e-5), context


def test_discounts_are_those_of_the_counts() -> None:
    """A case that can be done by hand: counts 1, 2, 3, 4 of four words in one place each."""
    sentences = [["a"], ["b"], ["b"], ["c"], ["c"], ["c"], ["d"], ["d"], ["d"], ["d"]]
    arpa = Arpa(written(KneserNey(sentences, 2)))
    # bigrams: <s> a 1, <s> b 2, <s> c 3, <s> d 4, a </s> 1, b </s> 2, c </s> 3, d </s> 4: t1 = t2 = t3 = t4 = 2
    share = 2 / (2 + 2 * 2)
    first, second, third = 1 - 2 * share, 2 - 3 * share, 3 - 4 * share
    gamma = (first + second + 2 * third) / 10
    # each of a, b, c, d comes after one word, </s> after four: too few to estimate, so 0.5, 1, 1.5 are taken
    lower = (1 - 0.5) / 8 + (4 * 0.5 + 1.5) / 8 / 6
    assert 10 ** arpa.probability[("<s>", "b")] == pytest.approx((2 - second) / 10 + gamma * lower, rel=1e-5)
    assert 10 ** arpa.backoff[("<s>",)] == pytest.approx(gamma, rel=1e-5)


def test_kenlm_reads_it_and_says_the_same(tmp_path: Path) -> None:
    pytest.importorskip("flashlight.lib.text.decoder.kenlm")
    from data2vec_plugin.decoding.language_model import open_language_model

    path = tmp_path / "lm.arpa"
    text = written(KneserNey(SENTENCES, 3))
    path.write_text(text)
    words = sorted({word for sentence in (*SENTENCES, *HELD_OUT) for word in sentence})
    kenlm = open_language_model(path, ["_", "x"], words).kenlm
    for sentence in HELD_OUT:
        state, total = kenlm.start(False), 0.0
        for word in sentence:
            state, score = kenlm.score(state, words.index(word))
            total += score
        total += kenlm.finish(state)[1]
        assert total == pytest.approx(Arpa(text).of_sentence(sentence), rel=1e-5)


def test_it_is_what_lmplz_writes() -> None:
    """tests/fixtures/kenlm/README.md; ``<s>`` is never predicted, so its own probability means nothing."""
    sentences = [line.split() for line in (KENLM / "sentences.txt").read_text().splitlines()]
    model = KneserNey(sentences, 3)
    assert not model.guessed
    ours, theirs = Arpa(written(model)), Arpa((KENLM / "sentences.arpa").read_text())
    assert ours.backoff == pytest.approx(theirs.backoff, abs=2e-6)
    ours.probability[("<s>",)] = theirs.probability[("<s>",)]
    assert ours.probability == pytest.approx(theirs.probability, abs=2e-6)


def test_what_is_pruned_is_not_listed(tmp_path: Path) -> None:
    path = tmp_path / "lm.arpa"
    path.write_text(written(KneserNey(SENTENCES, 3, [0, 0, 1])))
    pruned = check_arpa(path)
    path.write_text(written(KneserNey(SENTENCES, 3)))
    whole = check_arpa(path)
    assert pruned[2] == whole[2]
    assert 0 < pruned[3] < whole[3]
    assert math.isfinite(Arpa(path.read_text()).of_sentence(HELD_OUT[0]))


@pytest.mark.parametrize(
    ("order", "prune", "sentences", "fault"),
    [
        (1, [], SENTENCES, "`--order` is 1; expected 2 or more"),
        (3, [1], SENTENCES, "`--prune` is 1 1 1; expected at most 3 counts, the first 0"),
        (3, [0, 2, 1], SENTENCES, "none smaller"),
        (3, [], [], "holds no words"),
        (3, [], [["a", "<s>"]], "'<s>' as a word"),
    ],
)
def test_what_cannot_be_is_told(order: int, prune: List[int], sentences: List[List[str]], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        KneserNey(sentences, order, prune)
