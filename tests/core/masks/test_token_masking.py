"""Masks of text: BERT's shares, wav2vec's spans, whole words, and odds that are kept to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
import pytest

from data2vec_plugin.core.config import SpanMaskConfig
from data2vec_plugin.core.masks.token_masking import TokenMaskConfig, TokenMasker, shares_below

RECORDED = json.loads((Path(__file__).parents[2] / "fixtures" / "parity" / "masks.json").read_text("utf-8"))
SPANS_OF_FOUR = next(case for case in RECORDED["compute_mask_indices"] if case["what"] == "text span length 4")
SYMBOLS, SPECIAL, MASK = 60, 4, 59
ODDS = np.array([0.0] * SPECIAL + [1.0] * (MASK - SPECIAL) + [0.0])


def ids(size: int = 512, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(SPECIAL, MASK, size)


def masker(config: TokenMaskConfig = TokenMaskConfig(), **options: Any) -> TokenMasker:  # noqa: B008
    return TokenMasker(config, MASK, **{"replacements": ODDS, **options})


def spans(prob: float, length: int, **options: Any) -> SpanMaskConfig:
    return SpanMaskConfig(prob, length, same_share=False, **options)


def drawn(made: TokenMasker, rows: int = 400, size: int = 512) -> List[Tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(ids, what the student sees of them, what is hidden) of many rows."""
    found = []
    for row in range(rows):
        whole = ids(size, row)
        found.append((whole, *made.sample(whole, np.random.default_rng((1, row)))))
    return found


def test_shares_are_those_of_bert() -> None:
    rows = drawn(masker())
    hidden = np.concatenate([row[2] for row in rows])
    whole, seen = (np.concatenate([row[part] for row in rows])[hidden] for part in (0, 1))
    count, words = len(whole), MASK - SPECIAL
    # the number of hidden tokens is fixed but for the rounding at random: a spread of at most half a token a row
    assert hidden.mean() == pytest.approx(0.15, abs=4 * 0.5 / 512 / np.sqrt(len(rows)))
    for found, share in (
        ((seen == MASK).mean(), 0.8),
        ((seen == whole).mean(), 0.1 + 0.1 / words),  # a random word may be the same one
        (((seen != whole) & (seen != MASK)).mean(), 0.1 - 0.1 / words),
    ):
        assert found == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / count))


def test_what_is_not_hidden_is_seen_as_it_is() -> None:
    for whole, seen, hidden in drawn(masker(), rows=20):
        assert np.array_equal(seen[~hidden], whole[~hidden])
        assert not np.shares_memory(whole, seen)


def test_spans_of_four_are_those_of_the_reference() -> None:
    case: Dict[str, Any] = SPANS_OF_FOUR
    config = TokenMaskConfig(spans(case["mask_prob"], case["mask_length"]), keep=0, random=0)
    rows = drawn(masker(config), rows=400, size=case["T"])
    hidden = np.stack([row[2] for row in rows])
    shares = hidden.mean(1)
    error = case["fraction_std_over_rows"] / np.sqrt(len(rows))
    assert shares.mean() == pytest.approx(case["fraction_mean"], abs=4 * np.sqrt(1.5) * error)  # they drew 800 rows
    assert shares.std() == pytest.approx(case["fraction_std_over_rows"], rel=0.2)
    edges = np.diff(np.pad(hidden.astype(int), ((0, 0), (1, 1))), axis=1)
    assert hidden.sum() / (edges == 1).sum() == pytest.approx(case["run_length_mean"], rel=0.03)
    by_tenth = [float(part.mean()) for part in np.array_split(hidden, 10, axis=1)]
    assert by_tenth == pytest.approx(case["position_probability_by_tenth"], abs=0.03)
    assert all((seen[mask] == MASK).all() for _, seen, mask in rows)


@pytest.mark.parametrize("length", [1, 3])
def test_whole_words_are_hidden_or_shown(length: int) -> None:
    starts = np.arange(SYMBOLS) % 3 == 0
    made = masker(TokenMaskConfig(spans(0.3, length)), word_starts=starts)
    shares = []
    for whole, _, hidden in drawn(made, rows=100):
        begins = starts[whole]
        begins[0] = True
        assert not (hidden[1:] != hidden[:-1])[~begins[1:]].any(), "a word is hidden in part"
        shares.append(hidden.mean())
    assert np.mean(shares) == pytest.approx(SpanMaskConfig(0.3, length).expected_share(), abs=0.02)


def test_words_of_several_tokens_are_drawn_as_one() -> None:
    """Of two words, one long, either is hidden equally often: not tokens are drawn but words."""
    starts = np.zeros(SYMBOLS, dtype=bool)
    starts[10] = True
    made = masker(TokenMaskConfig(spans(0.01, 1, min_masks=1)), word_starts=starts)
    row = np.array([10, 11, 11, 11, 11, 11, 11, 10, 10, 10])
    hits = [made.hidden(row, np.random.default_rng(seed)).sum() for seed in range(300)]
    assert set(hits) <= {1, 7}
    assert 0.15 < np.mean(np.array(hits) == 7) < 0.5


def test_one_seed_is_one_mask() -> None:
    made, whole = masker(), ids()
    first = made.sample(whole, np.random.default_rng(3))
    again = masker().sample(whole, np.random.default_rng(3))
    other = made.sample(whole, np.random.default_rng(4))
    assert all(np.array_equal(left, right) for left, right in zip(first, again))
    assert not np.array_equal(first[1], other[1])


def test_random_words_follow_the_odds_given() -> None:
    odds = np.zeros(SYMBOLS)
    odds[[10, 20, 30]] = [1, 2, 5]
    made = masker(TokenMaskConfig(spans(0.9, 1), keep=0, random=1.0), replacements=odds)
    seen = np.concatenate([row[1][row[2]] for row in drawn(made, rows=50)])
    shares = np.bincount(seen, minlength=SYMBOLS) / len(seen)
    assert shares[[10, 20, 30]] == pytest.approx([0.125, 0.25, 0.625], abs=4 * 0.5 / np.sqrt(len(seen)))
    assert shares.sum() == pytest.approx(shares[[10, 20, 30]].sum())


class Extreme:
    """A generator whose uniform draws are all one value."""

    def __init__(self, value: float) -> None:
        self.value = value
        self.choice = np.random.default_rng(0).choice

    def random(self, size: Optional[int] = None) -> Any:
        return self.value if size is None else np.full(size, self.value)


@pytest.mark.parametrize(("draw", "symbol"), [(0.0, SPECIAL), (float(np.nextafter(1, 0)), MASK - 1)])
def test_no_draw_gives_a_symbol_without_odds(draw: float, symbol: int) -> None:
    """Neither the least draw nor that nearest to 1, where sums of thirds may fall short of it."""
    made = masker(TokenMaskConfig(spans(0.5, 1), keep=0, random=1.0), replacements=ODDS / 3)
    seen, hidden = made.sample(ids(), Extreme(draw))  # type: ignore[arg-type]
    assert set(seen[hidden]) == {symbol}
    assert all(shares_below(ODDS[: size + 1] / 3)[-1] == 1 for size in range(SPECIAL, SYMBOLS))


@pytest.mark.parametrize(("keep", "random"), [(-0.1, 0.1), (0.1, -0.1), (0.6, 0.5)])
def test_bad_shares_are_refused(keep: float, random: float) -> None:
    message = f"`keep` is {keep} and `random` {random}; expected shares"
    with pytest.raises(ValueError, match=message):
        TokenMaskConfig(keep=keep, random=random)


def test_random_words_need_symbols_to_draw_from() -> None:
    with pytest.raises(ValueError, match=r"`random` is 0\.1; expected 0 where there are no symbols"):
        masker(replacements=None)
    with pytest.raises(ValueError, match="`replacements` is all 0"):
        masker(replacements=np.zeros(SYMBOLS))
    masker(TokenMaskConfig(random=0), replacements=None)
    masker(TokenMaskConfig(random=0), replacements=np.zeros(SYMBOLS))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_shortest_rows_keep_a_token_to_regress_from(size: int) -> None:
    made = masker(TokenMaskConfig(spans(0.5, 4, min_masks=1)))
    assert {int(made.hidden(ids(size), np.random.default_rng(seed)).sum()) for seed in range(20)} == {size - 1}
