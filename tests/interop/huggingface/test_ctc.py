"""The outputs of CTC under two names."""

from __future__ import annotations

from typing import Any, Dict

import pytest
import torch

from data2vec_plugin.interop.huggingface.ctc import NEVER, SPECIAL, outputs, rearranged, vocabulary

TOKENS = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "word_delimiter_token": "|"}
SYMBOLS = [*SPECIAL, "|", "E", "T"]


def test_the_blank_is_called_padding_and_no_row_moves() -> None:
    vocab = vocabulary(SYMBOLS)
    assert vocab == {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4, "E": 5, "T": 6}
    assert outputs(vocab, TOKENS, 0, 7) == (SYMBOLS, list(range(7)))


def test_another_order_and_other_names() -> None:
    vocab = {"a": 0, "b": 1, " ": 2, "[UNK]": 3, "[PAD]": 4}
    tokens = {"unk_token": "[UNK]", "bos_token": "<s>", "eos_token": None, "word_delimiter_token": " "}
    found = outputs(vocab, tokens, 4, 5)
    assert found.symbols == [*SPECIAL, "a", "b", "|"]
    assert found.rows == [4, None, None, 3, 0, 1, 2]


def test_a_token_with_two_roles_has_one_row() -> None:
    tokens = {**TOKENS, "bos_token": "<pad>", "eos_token": "<pad>"}
    assert outputs({"<pad>": 0, "<unk>": 1, "a": 2}, tokens, 0, 3).rows == [0, None, None, 1, 2]


@pytest.mark.parametrize(
    ("vocab", "blank", "message"),
    [
        ({"a": 0, "b": 2}, 0, "its 2 symbols do not name each of 3 outputs exactly once"),
        ({"a": 0, "b": 1, "c": 1}, 0, "its 3 symbols do not name each of 3 outputs exactly once"),
        ({"a": 0, "b": 1, "c": 2}, 3, "including the blank 3"),
        ({"<pad>": 0, "a b": 1, "c": 2}, 0, "cannot hold the symbol 'a b'"),
        ({"[PAD]": 0, "<pad>": 1, "c": 2}, 0, "cannot hold the symbol '<pad>'"),
    ],
)
def test_what_fits_no_dictionary(vocab: Dict[str, int], blank: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        outputs(vocab, TOKENS, blank, 3)


def test_rows_move_and_new_ones_are_never_the_best() -> None:
    weight, bias = torch.arange(6.0).view(3, 2), torch.tensor([1.0, 2.0, 3.0])
    moved = rearranged(weight, bias, [2, None, 0, 1])
    assert torch.equal(moved["weight"], torch.stack([weight[2], torch.zeros(2), weight[0], weight[1]]))
    assert moved["bias"].tolist() == [3, NEVER, 1, 2]


def test_rows_in_order_are_not_copied() -> None:
    head: Any = torch.zeros(3, 2), torch.zeros(3)
    assert rearranged(*head, range(3))["weight"] is head[0]
