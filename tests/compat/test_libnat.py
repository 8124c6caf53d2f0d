"""fairseq's insertion and Levenshtein Transformers, where fairseq was built without torch."""

import sys
from types import ModuleType
from typing import Any

import pytest
import torch

from data2vec_compat.patches import libnat

pytest.importorskip("fairseq")


def test_insertion_transformers_get_their_labels() -> None:
    from fairseq.models.nat.insertion_transformer import _get_ins_targets

    # <s> 7 </s> <pad> becomes <s> 6 7 8 </s>: one word in each of two places, none behind the end
    labels = _get_ins_targets(torch.tensor([[0, 7, 2, 1]]), torch.tensor([[0, 6, 7, 8, 2]]), 1, 3, 9)
    assert labels.nonzero().tolist() == [[0, 0, 6], [0, 1, 8]]
    assert labels[0, 0, 6] == labels[0, 1, 8] == 1


def test_levenshtein_transformers_get_their_labels() -> None:
    from fairseq.models.nat.levenshtein_utils import _get_del_targets, _get_ins_targets

    sentence, target = torch.tensor([[0, 7, 2, 1, 1]]), torch.tensor([[0, 6, 7, 8, 2]])
    masks, tokens, counts = _get_ins_targets(sentence, target, 1, 3)
    assert masks.tolist() == [[False, True, False, True, False]]
    assert tokens.tolist() == [[0, 3, 7, 3, 2]]
    assert counts.tolist() == [[1, 1, 0, 0]]
    assert _get_del_targets(target, sentence, 1).tolist() == [[0, 1, 0, 1, 0]]


def test_what_was_compiled_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    fairseq: Any = sys.modules["fairseq"]
    compiled = ModuleType("fairseq.libnat")
    monkeypatch.setattr(fairseq, "libnat", compiled, raising=False)
    assert libnat.give_libnat(ModuleType("fairseq.models.nat.insertion_transformer")) is False
    assert fairseq.libnat is compiled


def test_what_was_compiled_for_another_torch_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    fairseq: Any = sys.modules["fairseq"]
    monkeypatch.delattr(fairseq, "libnat", raising=False)
    monkeypatch.setitem(sys.modules, "fairseq.libnat", None)  # as a shared library whose symbols are not found
    assert libnat.give_libnat(ModuleType("fairseq.models.nat.insertion_transformer")) is True
    assert fairseq.libnat.compute_ed2([[1, 2]], [[2, 3]]) == [2]
