"""torch 2.1 trains on a CPU without oneDNN, any other torch as it was set up."""

from types import SimpleNamespace

import pytest
import torch
from data2vec_compat.patches.cpu_convolutions import leave_onednn_out


@pytest.mark.parametrize(("version", "left_out"), [("2.1.2+cu121", True), ("2.8.0", False), ("2.11.0", False)])
def test_only_what_is_affected_does_without(version: str, left_out: bool) -> None:
    mkldnn = SimpleNamespace(enabled=True)
    module = SimpleNamespace(torch=SimpleNamespace(__version__=version, backends=SimpleNamespace(mkldnn=mkldnn)))
    assert leave_onednn_out(module) is left_out  # type: ignore[arg-type]
    assert mkldnn.enabled is not left_out


def test_the_trainer_has_it() -> None:
    pytest.importorskip("fairseq.trainer")
    assert torch.backends.mkldnn.enabled is not torch.__version__.startswith("2.1.")
