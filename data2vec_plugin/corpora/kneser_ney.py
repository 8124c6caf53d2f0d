r"""An n-gram language model from sentences: interpolated, modified Kneser-Ney, written as ARPA.

Chen and Goodman 1998, in the form of Heafield et al. 2013, whose `lmplz` does the same for any amount of text:
discounts for counts of 1, 2, and 3 or more, by order; lower orders count the distinct words that precede an n-gram;
unigrams are interpolated with the uniform distribution over the vocabulary and ``<unk>``. The whole count of a pruned
n-gram goes to the back-off, so that the probabilities after every context add up to 1, pruned or not.

`lmplz` writes the same numbers, with two exceptions. When it estimates discounts, it takes the last n-gram of each
lower order by its own count, which changes the numbers noticeably for a few hundred sentences only. With
`--limit_vocab_file` it drops n-grams with other words and their probability; here other words count as ``<unk>``.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import Dict, Iterable, Iterator, List, Optional, Sequence, Set, TextIO, Tuple

Gram = Tuple[str, ...]
BEGIN, END, UNKNOWN = "<s>", "</s>", "<unk>"
MARKS = {BEGIN, END, UNKNOWN}
FALLBACK = (0.5, 1.0, 1.5)
"""Discounts if there is too little text to estimate them, as in lmplz."""
NEVER = -99.0
"""The log10 of a probability that is never used: `<s>` is never predicted."""


class KneserNey:
    """Probabilities (log10) and back-off weights of all n-grams of up to ``order`` words in some sentences.

    Args:
        sentences: the words of each, without ``<s>`` and ``</s>``.
        order: 2 or more, as KenLM requires.
        prune: by order from 1, the count up to which n-grams are dropped; non-decreasing, the first 0.
        vocabulary: known words, all others are unknown; None: all words.

    Raises:
        ValueError: invalid settings, no words, or a word that is a special token.
    """

    def __init__(
        self,
        sentences: Iterable[Sequence[str]],
        order: int,
        prune: Sequence[int] = (),
        vocabulary: Optional[Set[str]] = None,
    ) -> None:
        self.order = order
        self.prune = [*prune, *[prune[-1] if prune else 0] * (order - len(prune))]
        check_settings(order, self.prune)
        self.raw: List[Counter[Gram]] = [Counter() for _ in range(order)]
        for sentence in sentences:
            self._count(sentence, vocabulary)
        if not self.raw[0]:
            raise ValueError("the text holds no words; expected one sentence per line")
        self.words = sorted({word for (word,) in self.raw[0]} - MARKS)
        self.guessed: List[int] = []
        """Orders for which there was too little text to estimate discounts."""
        self._estimate()

    def _count(self, sentence: Sequence[str], vocabulary: Optional[Set[str]]) -> None:
        marks = MARKS.intersection(sentence)
        if marks:
            raise ValueError(
                f"the text holds {sorted(marks)[0]!r} as a word, which is a special token of n-gram models"
            )
        words = sentence if vocabulary is None else [word if word in vocabulary else UNKNOWN for word in sentence]
        marked = (BEGIN, *words, END)
        for size, counts in enumerate(self.raw, start=1):
            counts.update(marked[at : at + size] for at in range(len(marked) - size + 1))

    def _adjusted(self, size: int) -> Dict[Gram, int]:
        """Counts of n-grams: distinct words before them, except the longest and those that begin a sentence."""
        raw = self.raw[size - 1]
        if size == self.order:
            return dict(raw)
        before: Counter[Gram] = Counter(gram[1:] for gram in self.raw[size])
        return {gram: raw[gram] if gram[0] == BEGIN else before[gram] for gram in raw}

    def _estimate(self) -> None:
        """By order: n-gram -> log10 of its probability; n-gram -> log10 of its back-off weight."""
        self.backoffs: List[Dict[Gram, float]] = []
        self.probabilities: List[Dict[Gram, float]] = []
        for size in range(1, self.order + 1):
            counts = self._adjusted(size)
            if size == 1:
                counts.pop((BEGIN,), None)
                counts.setdefault((UNKNOWN,), 0)
            kept = {gram for gram in counts if size == 1 or self.raw[size - 1][gram] > self.prune[size - 1]}
            self._interpolate(counts, kept, self._discounts(size, counts))

    def _discounts(self, size: int, counts: Dict[Gram, int]) -> Tuple[float, float, float]:
        number = Counter(counts.values())
        if all(number[count] for count in (1, 2, 3)):
            share = number[1] / (number[1] + 2 * number[2])
            found = tuple(k - (k + 1) * share * number[k + 1] / number[k] for k in (1, 2, 3))
            if all(0 <= discount <= k for k, discount in enumerate(found, start=1)):
                return found[0], found[1], found[2]
        self.guessed.append(size)
        return FALLBACK

    def _interpolate(self, counts: Dict[Gram, int], kept: Set[Gram], discounts: Tuple[float, float, float]) -> None:
        totals: Dict[Gram, float] = defaultdict(float)
        given_up: Dict[Gram, float] = defaultdict(float)
        for gram, count in counts.items():
            totals[gram[:-1]] += count
            given_up[gram[:-1]] += discount_of(count, discounts) if gram in kept else count
        gammas = {context: given_up[context] / total for context, total in totals.items()}
        lower = self.probabilities[-1] if self.probabilities else {}
        uniform = 1 / len(counts)
        found = {}
        for gram in kept:
            count, context = counts[gram], gram[:-1]
            own = max(count - discount_of(count, discounts), 0.0) / totals[context]
            found[gram] = own + gammas[context] * (lower[gram[1:]] if lower else uniform)
        self.probabilities.append(found)
        self.backoffs.append(gammas)

    def lines(self) -> Iterator[str]:
        """The ARPA file, line by line."""
        sizes = [len(found) for found in self.probabilities]
        sizes[0] += 1  # <s>, which only backs off
        yield "\\data\\"
        yield from (f"ngram {size}={number}" for size, number in enumerate(sizes, start=1))
        for size, found in enumerate(self.probabilities, start=1):
            yield f"\n\\{size}-grams:"
            below = self.backoffs[size] if size < self.order else {}
            if size == 1:
                yield _line(NEVER, (BEGIN,), below)
            yield from (_line(math.log10(found[gram]), gram, below) for gram in sorted(found))
        yield "\n\\end\\"

    def write(self, file: TextIO) -> None:
        """Write the ARPA file."""
        file.writelines(f"{line}\n" for line in self.lines())


def check_settings(order: int, prune: Sequence[int]) -> None:
    """Raise ValueError for an invalid order or invalid pruning counts."""
    if order < 2:
        raise ValueError(f"`--order` is {order}; expected 2 or more, as KenLM requires")
    if len(prune) != order or prune[0] != 0 or list(prune) != sorted(prune):
        shown = " ".join(map(str, prune))
        raise ValueError(
            f"`--prune` is {shown}; expected at most {order} counts, the first 0, none smaller than "
            "the one before, such as 0 0 1"
        )


def discount_of(count: int, discounts: Tuple[float, float, float]) -> float:
    """The discount of a count, which goes to unseen n-grams."""
    return discounts[min(count, 3) - 1] if count else 0.0


def _line(probability: float, gram: Gram, backoffs: Dict[Gram, float]) -> str:
    """An n-gram's line; one that no longer n-gram extends has no back-off weight, which means 1."""
    line = f"{probability:.7g}\t{' '.join(gram)}"
    if gram not in backoffs:
        return line
    return f"{line}\t{math.log10(backoffs[gram]) if backoffs[gram] else NEVER:.7g}"
