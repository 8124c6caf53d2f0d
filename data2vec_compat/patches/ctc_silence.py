"""The `ctc` criterion of fairseq's main branch has a key for the silence weight, and writes 0 over its value."""

from argparse import Namespace
from types import ModuleType
from typing import Any

from data2vec_compat.registry import patch


class DecoderArguments(Namespace):
    """What the criterion hands to its decoder; the silence weight that is set first stays."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "sil_weight" or not hasattr(self, name):
            super().__setattr__(name, value)


@patch("CTC silence weight", "fairseq.criterions.ctc", why="fairseq main writes 0 over criterion.wer_sil_weight")
def mend(module: ModuleType) -> bool:
    """Replaces the namespace that the criterion fills; the release has no such key, and 0 is its value."""
    if "wer_sil_weight" not in module.CtcCriterionConfig.__dataclass_fields__:
        return False
    module.Namespace = DecoderArguments  # type: ignore[attr-defined]
    return True
