"""fairseq's Huffman coder with a bitarray that has no `util.rindex`."""

from types import ModuleType, SimpleNamespace

import pytest

from data2vec_compat.patches import bitarray as patches

bitarray = pytest.importorskip("bitarray")
huffman = pytest.importorskip("fairseq.data.huffman")


def test_what_is_coded_can_be_read() -> None:
    builder = huffman.HuffmanCodeBuilder()
    builder.add_symbols("a", "rose", "is", "a", "rose", "is", "a", "rose")
    coder = builder.build_code()
    for words in (["rose"], ["a", "rose", "is", "a"], ["is"] * 9):
        assert [node.symbol for node in coder.decode(coder.encode(words))] == words


def test_the_last_bit_of_a_kind_is_found() -> None:
    module = SimpleNamespace(util=ModuleType("bitarray.util"))
    assert patches.fix(module) is True
    assert module.util.rindex(bitarray.bitarray("0110100"), 1) == 4
    assert module.util.rindex(bitarray.bitarray("0110111"), 0) == 3
    with pytest.raises(ValueError, match="not in bitarray"):
        module.util.rindex(bitarray.bitarray("000"), 1)


def test_nothing_to_mend() -> None:
    old = SimpleNamespace(rindex=len)
    module = SimpleNamespace(util=old)
    assert patches.fix(module) is False
    assert module.util is old
