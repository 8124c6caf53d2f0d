"""fairseq's non-autoregressive models need `libnat`, which pip compiles only if torch is available during the build."""

import sys
from types import ModuleType

from data2vec_compat.registry import patch


@patch(
    "edit paths",
    "fairseq.models.nat.insertion_transformer",
    "fairseq.models.nat.levenshtein_utils",
    why="pip builds fairseq in isolation from torch, without libnat: insertion and Levenshtein Transformers cannot "
    "train",
)
def give_libnat(module: ModuleType) -> bool:
    """Replaces it by the same functions in Python if it is missing or was built for another torch."""
    try:
        from fairseq import libnat  # noqa: F401
    except ImportError:
        from data2vec_compat.edit_paths import as_module

        sys.modules["fairseq"].libnat = as_module("fairseq.libnat")  # type: ignore[attr-defined]
        return True
    return False
