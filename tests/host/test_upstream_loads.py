"""Stock upstream, in a process without our package, loads what our trainer saves, teacher included."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

import pytest
import torch
from host.upstream import SECTIONS, features, trainer

from data2vec_plugin.host.training.trainer import Data2VecTrainer

pytestmark = pytest.mark.xdist_group("upstream")


@pytest.mark.parametrize("padded", [False, True], ids=["whole", "padded"])
@pytest.mark.parametrize("kind", SECTIONS)
def test_upstream_computes_our_features(kind: str, padded: bool, upstream: Path) -> None:
    run = trainer(kind, Data2VecTrainer, reference_compat=True)
    run.load_checkpoint(str(upstream / f"{kind}_ours.pt"))
    theirs = torch.load(upstream / f"{kind}_loaded.pt")["features"][padded]
    torch.testing.assert_close(features(run.get_model(), kind, padded), theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", SECTIONS)
def test_upstream_holds_every_weight_of_ours(kind: str, upstream: Path) -> None:
    saved: Dict[str, Any] = torch.load(upstream / f"{kind}_ours.pt", weights_only=False)["model"]
    loaded = torch.load(upstream / f"{kind}_loaded.pt")["model"]
    teacher = "_ema" if kind == "audio" else "encoder._ema"
    for ours, theirs in ((saved, loaded), (saved[teacher], loaded[teacher])):
        for name, value in ours.items():
            if name != teacher:
                assert torch.equal(theirs[name], value), name
