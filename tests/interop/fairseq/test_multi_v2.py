"""Names of data2vec 2.0 there and back, and whose an optimizer's moments are in a checkpoint of upstream's."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

import pytest
import torch
from visible_models import visible_model

from data2vec_plugin.host.checkpoints.foreign_state import frozen_names
from data2vec_plugin.interop.fairseq.multi_v2 import ModalitiesLayout, their_name
from data2vec_plugin.interop.fairseq.optimizer_order import take_over

OFFICIAL = Path(__file__).resolve().parents[2] / "fixtures" / "parity" / "official_style_v2_audio" / "checkpoint.pt"


@pytest.mark.parametrize("modality", ["AUDIO", "IMAGE", "TEXT"])
@pytest.mark.parametrize("blocks_only", [False, True])
def test_names_go_there_and_back(modality: str, blocks_only: bool) -> None:
    model = visible_model(modality, ema_encoder_only=blocks_only)
    names = [name for name, _ in model.named_parameters()]
    state: Dict[str, Any] = {f"prefix.{name}": value for name, value in model.named_parameters()}
    model.layout.to_upstream(state, "prefix.")
    assert all(key.startswith(("prefix.blocks.", f"prefix.modality_encoders.{modality}.")) for key in state)
    model.layout.from_upstream(state, "prefix.")
    assert [key[len("prefix.") :] for key in state] == names
    model.layout.from_upstream(state, "prefix.")
    assert len(state) == len(names)
    entry = model.method.ensure_teacher().state_dict()  # type: ignore[union-attr, operator]
    there = dict(entry)
    model.layout.teacher_to_upstream(there)
    assert ("0.attn.qkv.weight" in there) == blocks_only
    model.layout.teacher_from_upstream(there)
    assert set(there) == set(entry)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("encoder.positions.signal.1.0.weight", "relative_positional_encoder.2.0.weight"),
        ("encoder.positions.signal.normed.1.0.weight", "relative_positional_encoder.1.2.0.weight"),
        ("encoder.positions.signal.norm.weight", "relative_positional_encoder.0.weight"),
        ("encoder.positions.alibi.alibi_scale", "alibi_scale"),
        ("encoder.prenet.layers.3.fc1.bias", "context_encoder.blocks.3.mlp.fc1.bias"),
        ("encoder.embedder.patches.conv.weight", "local_encoder.0.proj.weight"),
        ("encoder.embedder.conv.weight", "local_encoder.proj.weight"),
        ("encoder.embedder.feature_extractor.conv_layers.2.0.weight", "local_encoder.conv_layers.2.0.weight"),
        ("predictor.own.blocks.0.0.bias", "decoder.blocks.0.0.bias"),
        ("predictor.own.encoder.layers.0.self_attn.out_proj.bias", "decoder.encoder.blocks.0.attn.proj.bias"),
        ("predictor.own.blocks.0.attn.proj.bias", "decoder.blocks.0.attn.proj.bias"),
    ],
)
def test_single_names(ours: str, theirs: str) -> None:
    assert their_name(f"methods.IMAGE.{ours}") == f"modality_encoders.IMAGE.{theirs}"
    assert ModalitiesLayout("IMAGE").our_name(f"modality_encoders.IMAGE.{theirs}") == f"methods.IMAGE.{ours}"


def test_old_names_and_scales() -> None:
    state = {
        "modality_encoders.IMAGE.positional_encoder.pos_embed": torch.zeros(1, 4, 8),
        "modality_encoders.IMAGE.encoder_mask": torch.zeros(1),
        "modality_encoders.IMAGE.alibi_scale": torch.ones(1, 4, 1, 1),
    }
    ModalitiesLayout("IMAGE").from_upstream(state)
    assert {name.rpartition(".")[2]: value.dim() for name, value in state.items()} == {"positions": 3, "alibi_scale": 5}


def test_moments_of_upstreams_run_go_to_their_parameters() -> None:
    saved = torch.load(OFFICIAL, map_location="cpu", weights_only=False)
    section = saved["cfg"]["model"]
    own = section["modalities"]["audio"]
    model = visible_model("AUDIO", own=own, **{key: value for key, value in section.items() if key != "modalities"})
    trained = [{name: tuple(p.shape)} for name, p in model.named_parameters() if p.requires_grad]
    moments = take_over(
        saved["last_optimizer_state"], saved["model"], model.layout.from_upstream, trained, frozen_names(model)
    )
    theirs = [name for name in saved["model"] if name != "_ema" and name not in frozen_names(model)]
    entries = saved["last_optimizer_state"]["state"]
    for place, part in enumerate(trained):
        (name,) = part
        position = theirs.index(their_name(name[len("method.") :]))
        assert torch.equal(moments[place]["exp_avg"], entries[position]["exp_avg"])
