"""bitarray 3 removed `bitarray.util.rindex`, by which fairseq's Huffman coder finds where its padding begins."""

from types import ModuleType
from typing import Any

from data2vec_compat.proxy import ModuleProxy
from data2vec_compat.registry import patch


@patch(
    "bitarray.util.rindex",
    "fairseq.data.huffman.huffman_coder",
    why="bitarray ≥ 3 has no util.rindex: Huffman-coded data can be written, but not read",
)
def fix(module: ModuleType) -> bool:
    """Gives this one module a `bitarray.util` that still has the name; bitarray itself stays."""
    if hasattr(module.util, "rindex"):
        return False
    module.util = ModuleProxy(module.util, rindex=_rindex)  # type: ignore[attr-defined]
    return True


def _rindex(bits: Any, value: int = 1) -> int:
    """The index of the last bit that is `value`; ValueError if there is none."""
    index: int = bits.index(value, right=True)
    return index
