"""A call of fairseq-generate: who is told of it, what its last line says, what ends with it."""

import io
from types import SimpleNamespace
from typing import Any, List

import pytest

from data2vec_plugin.host.generation import current_generation, generate

CFG = SimpleNamespace(dataset=SimpleNamespace(gen_subset="test"), generation=SimpleNamespace(beam=5))
STOCK = "Generate test with beam=5: WER 1"


def printed(told: str, unlabelled: bool = False, line: str = STOCK) -> str:
    def stock(cfg: Any, output_file: Any) -> str:
        current = current_generation()
        assert current is not None
        current.description, current.unlabelled = told, unlabelled
        print("H-1\t-0.5\tGenerate test with beam=5: A", file=output_file)
        if not unlabelled:
            print(line, file=output_file)
        output_file.flush()
        return "the scorer"

    stream = io.StringIO()
    assert generate(stock, CFG, stream) == "the scorer"
    assert current_generation() is None
    return stream.getvalue()


def test_the_last_line_says_how_it_was_decoded() -> None:
    lines = printed("greedy decoding").splitlines()
    assert lines == ["H-1\t-0.5\tGenerate test with beam=5: A", "Generate test with greedy decoding: WER 1"]


def test_what_is_not_ours_keeps_fairseqs_own() -> None:
    assert printed("").splitlines()[-1] == STOCK


def test_without_labels_there_is_a_last_line_too() -> None:
    lines = printed("beam=50", unlabelled=True).splitlines()
    assert lines[1:] == ["Generate test with beam=50: no labels, so no error rates"]


def test_what_was_started_ends_with_it() -> None:
    ended: List[str] = []

    def stock(cfg: Any, output_file: Any) -> None:
        current = current_generation()
        assert current is not None
        current.closing.callback(ended.append, "processes")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(stock, CFG, io.StringIO())
    assert ended == ["processes"]
    assert current_generation() is None
