"""A checkpoint of the release's names gives the recorded logits, whichever way it comes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

import pytest
import torch
from fairseq.models import ARCH_CONFIG_REGISTRY
from parity.cases import below, folders
from parity.mtag_models import recorded_inputs
from safetensors.torch import load_file
from torch import Tensor

from data2vec_plugin.interop.released_mtag import from_release, renamed, sizes_of
from data2vec_plugin.models.mtag import MTAGModel, MTAGModelConfig

CASE = next(case for case in folders("mm_mtag_tiny_single"))
TENSORS = load_file(CASE.folder / "tensors.safetensors")
OURS = below("w.", TENSORS)
KEYS = {
    **{f"layers.{layer}.lin": f"dgnn.gats.{2 * layer}.lin_l" for layer in range(3)},
    **{f"layers.{layer}.att_{side}": f"dgnn.gats.{2 * layer}.att_{side}" for layer in range(3) for side in "lr"},
    **{f"layers.{layer}.bias": f"dgnn.gats.{2 * layer}.bias" for layer in range(3)},
    **{f"head.{place}.{kind}": f"finalW.{place}.{kind}" for place in (0, 2, 4) for kind in ("weight", "bias")},
}


def released() -> Dict[str, Tensor]:
    """The recorded weights as the release saves them."""
    weights = {}
    for name, value in OURS.items():
        key = KEYS.get(name, f"dgnn.{name}")
        weights[key] = value.unsqueeze(0) if ".att_" in name else value.clone()
        if key.endswith("lin_l"):
            weights[key.replace("lin_l", "lin_r")] = value.clone()
    return {**weights, "dgnn.text_pe.pe": torch.zeros(5000, 1, 16)}


def config(**settings: Any) -> MTAGModelConfig:
    sizes = {**sizes_of(OURS), "prune_scope": "batch", "edge_direction": "length", **settings}
    return MTAGModelConfig(**sizes)


def logits(model: MTAGModel) -> Tensor:
    with torch.no_grad():
        found: Tensor = model.eval()(recorded_inputs(TENSORS))
    return found


def test_every_name_has_its_place() -> None:
    weights = released()
    from_release(weights)
    assert weights.keys() == OURS.keys()
    assert all(torch.equal(weights[name], OURS[name]) for name in OURS)
    assert renamed("dgnn.vision_conv.0.weight") == "vision_conv.0.weight"
    with pytest.raises(ValueError, match=r"hold `dgnn\.transformer\.weight`, which no MTAG model has"):
        renamed("dgnn.transformer.weight")


def test_sizes_are_told_by_weights() -> None:
    recorded, found = CASE.json("config"), sizes_of(OURS)
    assert {name: found[f"{name}_dim"] for name in recorded["dims"]} == recorded["dims"]
    assert (found["layers"], found["heads"], found["dim"]) == (3, 4, 16)
    assert (found["use_ffn"], found["use_conv1d"], found["time_aware_edges"]) == (False, False, True)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_released_checkpoint_gives_the_recorded_logits(tmp_path: Path, wrapped: bool) -> None:
    torch.save({"model": released()} if wrapped else released(), tmp_path / "released.pt")
    model = MTAGModel.build_model(config(model_path=str(tmp_path / "released.pt")))
    assert (logits(model) - TENSORS["out.logits"]).abs().max() < 1e-5
    assert model.cfg.model_path is None  # a checkpoint of ours needs the file no longer


def test_fairseqs_loading_takes_released_names_and_ours() -> None:
    model = MTAGModel(config())
    model.load_state_dict(released(), strict=True)
    assert (logits(model) - TENSORS["out.logits"]).abs().max() < 1e-5
    again = MTAGModel(config())
    again.load_state_dict(model.state_dict(), strict=True)
    assert torch.equal(logits(again), logits(model))


def test_other_sizes_are_told_key_by_key(tmp_path: Path) -> None:
    torch.save(released(), tmp_path / "released.pt")
    with pytest.raises(ValueError, match=r"`model.layers=3`, `model.outputs=1`; set these keys"):
        MTAGModel.build_model(config(layers=6, outputs=8, model_path=str(tmp_path / "released.pt")))
    torch.save({"weight": torch.zeros(2)}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match="does not hold MTAG weights"):
        MTAGModel.build_model(config(model_path=str(tmp_path / "other.pt")))


def test_architectures_set_sizes_that_were_not_given() -> None:
    from argparse import Namespace

    mosi, iemocap = Namespace(), Namespace(dim=32)
    ARCH_CONFIG_REGISTRY["mtag_mosi"](mosi)
    ARCH_CONFIG_REGISTRY["mtag_iemocap"](iemocap)
    assert (mosi.dim, mosi.heads, mosi.layers) == (64, 4, 6)
    assert (iemocap.dim, iemocap.layers) == (32, 7)
