"""Greedy CTC decoding: collapse, scores, padding, several models."""

from typing import Any, Dict

import pytest
import torch
from fairseq.data import Dictionary

from data2vec_plugin.decoding.greedy import GreedyCtcGenerator

LETTERS = Dictionary()
for letter in "AB|":
    LETTERS.add_symbol(letter)
A, B, BAR = (LETTERS.index(letter) for letter in "AB|")
BLANK = LETTERS.bos()


class Path:
    """A model that says the given symbols, (B, T), with probability ``p`` each."""

    def __init__(self, symbols: "list[list[int]]", padding: "torch.Tensor | None" = None, p: float = 0.9) -> None:
        self.symbols, self.padding, self.p = torch.tensor(symbols), padding, p

    def eval(self) -> None:
        pass

    def __call__(self, **net_input: Any) -> Dict[str, Any]:
        return {"padding_mask": self.padding}

    def get_normalized_probs(self, output: Any, log_probs: bool) -> torch.Tensor:
        rest = (1 - self.p) / (len(LETTERS) - 1)
        probs = torch.full((*self.symbols.shape, len(LETTERS)), rest)
        probs.scatter_(-1, self.symbols.unsqueeze(-1), self.p)
        return probs.log().transpose(0, 1)


def decode(*models: Path) -> "list[Dict[str, Any]]":
    generator = GreedyCtcGenerator(LETTERS, BLANK)
    return [row[0] for row in generator.generate(list(models), {"net_input": {}})]


def test_repeats_merge_and_blanks_part_them() -> None:
    (hypothesis,) = decode(Path([[BLANK, A, A, BLANK, A, B, B, BAR]]))
    assert hypothesis["tokens"].tolist() == [A, A, B, BAR]
    assert hypothesis["frames"].tolist() == [1, 4, 5, 7]
    assert hypothesis["positional_scores"].exp().tolist() == pytest.approx([0.9] * 4, rel=1e-5)
    assert hypothesis["score"] == pytest.approx(torch.tensor(0.9).log().item(), rel=1e-5)


def test_padded_frames_are_not_read() -> None:
    padding = torch.tensor([[False] * 4, [False, False, True, True]])
    rows = decode(Path([[A, B, A, B], [A, B, A, B]], padding))
    assert [row["tokens"].tolist() for row in rows] == [[A, B, A, B], [A, B]]


def test_nothing_but_blanks_is_an_empty_hypothesis() -> None:
    (hypothesis,) = decode(Path([[BLANK, BLANK]]))
    assert hypothesis["tokens"].numel() == 0


def test_models_vote_by_their_mean_probability() -> None:
    (hypothesis,) = decode(Path([[A]], p=0.5), Path([[B]], p=0.9))
    assert hypothesis["tokens"].tolist() == [B]
    rest = 0.5 / (len(LETTERS) - 1)
    assert hypothesis["positional_scores"].exp().item() == pytest.approx((0.9 + rest) / 2, rel=1e-5)


def test_options_of_beam_search_are_refused() -> None:
    with pytest.raises(ValueError, match="--prefix-size"):
        GreedyCtcGenerator(LETTERS, BLANK).generate([], {}, prefix_tokens=torch.zeros(1, 1))
