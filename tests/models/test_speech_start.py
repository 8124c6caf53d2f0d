"""Students that begin with fairseq's own wav2vec 2.0 and HuBERT: the same features, or a word on what to set."""

from __future__ import annotations

import logging
from argparse import Namespace
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, List

import pytest
import torch
from fairseq.models.hubert import HubertConfig, HubertModel
from fairseq.models.wav2vec import Wav2Vec2Config, Wav2Vec2Model
from host.bare_trainer import save
from host.upstream import AUDIO, train, trainer
from models.tiny import DIM, batch
from models.tiny_text import trainer_state
from omegaconf import OmegaConf
from speech import ROOT
from torch import nn

from data2vec_plugin.host.training.trainer import Data2VecTrainer
from data2vec_plugin.interop.fairseq.speech_start import SETTINGS
from data2vec_plugin.models.starting.begun_speech import HELD

SIZES = ("encoder_layers", "encoder_embed_dim", "encoder_ffn_embed_dim", "encoder_attention_heads")
MAKE = {
    **{key: AUDIO[key] for key in (*SIZES, "conv_feature_layers", "extractor_mode", "conv_pos", "conv_pos_groups")},
    **{"pos_conv_depth": 1, "conv_bias": True, "layer_norm_first": True},
}
MAKES: List[Dict[str, Any]] = [
    MAKE,
    {**MAKE, "extractor_mode": "default", "conv_bias": False, "layer_norm_first": False},
    {**MAKE, "pos_conv_depth": 3},
    {**MAKE, "conv_feature_layers": f"[({DIM},10,5)] + [({DIM},3,2)]"},
]


def original(name: str, make: Dict[str, Any]) -> Any:
    """A model of fairseq's own, with what its objective needs."""
    torch.manual_seed(1)
    if name == "wav2vec2":
        cfg: Any = Wav2Vec2Config(quantize_targets=True, final_dim=8, latent_vars=4, **make)
        return Wav2Vec2Model(cfg).eval()
    known = {field.name for field in fields(HubertConfig)}
    cfg = HubertConfig(label_rate=50, **{key: value for key, value in make.items() if key in known})
    model = HubertModel(cfg, SimpleNamespace(sample_rate=16_000), [range(5)])  # type: ignore[arg-type, list-item]
    return model.eval()


def write(path: Path, name: str, model: nn.Module, make: Dict[str, Any], old: bool, half: bool) -> str:
    """What fairseq's trainer would have saved, today or before there was hydra."""
    weights = model.half().state_dict() if half else model.state_dict()
    cfg = {"model": {"_name": name, **make}, "task": {"_name": "audio_pretraining", "data": "/gone", "normalize": True}}
    state = trainer_state(cfg, weights)
    if old:
        del state["cfg"]
        state["args"] = Namespace(arch=name, task="audio_pretraining", data="/gone", normalize=True, **make)
    torch.save(state, path)
    return str(path)


def begun(path: str, **settings: Any) -> Any:
    """fairseq's trainer as `checkpoint.finetune_from_model` leaves it."""
    run = trainer("audio", Data2VecTrainer, **settings)
    run.load_checkpoint(path, reset_optimizer=True, reset_lr_scheduler=True, reset_meters=True)
    return run


@pytest.mark.parametrize("make", MAKES, ids=["prenorm", "postnorm", "deep", "square"])
@pytest.mark.parametrize(("name", "old"), [("wav2vec2", False), ("wav2vec2", True), ("hubert", False)], ids=str)
def test_the_student_begins_with_the_features_of_the_original(
    name: str, old: bool, make: Dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if name == "hubert" and make["pos_conv_depth"] > 1:
        pytest.skip("this HuBERT has one position convolution")
    caplog.set_level(logging.INFO)
    model = original(name, make)
    with torch.no_grad():
        found = model.extract_features(batch(), padding_mask=None)
    run = begun(write(tmp_path / "given.pt", name, model, make, old, half=False), **make)
    assert run.get_num_updates() == 0
    student = run.get_model().eval()
    with torch.no_grad():
        ours = student.extract_features(batch())["x"]
    torch.testing.assert_close(ours, found["x"] if name == "wav2vec2" else found[0], rtol=1e-5, atol=1e-5)
    assert f"of model `{name}`, which was trained with `task.normalize=true`; not loaded: final_proj, " in caplog.text
    square = ", post_extract_proj" if f"({DIM},10,5)" in make["conv_feature_layers"] else ""
    assert f"; new: final_proj{square}\n" in caplog.text
    assert train(run, "audio", range(2))  # with a teacher made of this student


@pytest.mark.parametrize("name", ["wav2vec2", "hubert"])
def test_half_precision_weights_are_taken(name: str, tmp_path: Path) -> None:
    model = original(name, MAKE)
    student = begun(write(tmp_path / "given.pt", name, model, MAKE, old=False, half=True), **MAKE).get_model()
    assert torch.equal(student.encoder.transformer.layers[2].fc1.weight, model.encoder.layers[2].fc1.weight.float())
    assert student.encoder.view.mask_emb.dtype == torch.float32


def test_another_make_is_answered_with_every_key_to_set(tmp_path: Path) -> None:
    make = {**MAKES[1], "conv_feature_layers": "[(8,10,5)] + [(8,3,2)] * 1"}
    path = write(tmp_path / "given.pt", "wav2vec2", original("wav2vec2", make), make, old=False, half=False)
    other = "[(8,10,5)] + [(8,2,2)]"
    with pytest.raises(
        ValueError, match="of model `wav2vec2`, whose configuration differs from this run's; set "
    ) as caught:
        begun(path, conv_pos=19, encoder_layers=2, layer_norm_first=True, conv_feature_layers=other)
    told = str(caught.value).partition("; set ")[2]
    assert told == (
        "model.extractor_mode=default \"model.conv_feature_layers='[(8,10,5)] + [(8,3,2)] * 1'\" "
        "+model.layer_norm_first=false model.encoder_layers=3 model.conv_pos=15 model.pos_conv_depth=1"
    )


@pytest.mark.parametrize("recipe", ["audio_base", "audio_large"])
def test_keys_that_the_recipes_lack_are_told_with_a_plus(recipe: str) -> None:
    model = OmegaConf.load(ROOT / "configs" / f"{recipe}.yaml").model
    assert {key for key in SETTINGS if key in model} == set(HELD)


def test_a_resumed_run_is_none_of_theirs(tmp_path: Path) -> None:
    path = write(tmp_path / "last.pt", "hubert", original("hubert", MAKE), MAKE, old=False, half=False)
    with pytest.raises(ValueError, match=r"of model `hubert` and cannot be resumed.*`checkpoint\.finetune_from_m"):
        trainer("audio", Data2VecTrainer, **MAKE).load_checkpoint(path)


def test_a_transformer_over_quantised_input_is_refused(tmp_path: Path) -> None:
    cfg: Any = Wav2Vec2Config(quantize_input=True, latent_vars=4, **MAKE)
    path = write(tmp_path / "given.pt", "wav2vec2", Wav2Vec2Model(cfg), MAKE, old=False, half=False)
    with pytest.raises(ValueError, match=r"its weights do not match: it lacks `post_extract_proj.*`input_quantizer"):
        begun(path, **MAKE)


def test_the_checkpoint_of_such_a_run_needs_the_original_no_more(tmp_path: Path) -> None:
    given = tmp_path / "given.pt"
    run = begun(write(given, "wav2vec2", original("wav2vec2", MAKE), MAKE, old=False, half=False), **MAKE)
    given.unlink()
    save(run, str(tmp_path / "checkpoint_last.pt"))
    assert str(given) not in str(torch.load(tmp_path / "checkpoint_last.pt", weights_only=False)["cfg"])
    again = trainer("audio", Data2VecTrainer, **MAKE)
    again.load_checkpoint(str(tmp_path / "checkpoint_last.pt"))
    assert torch.equal(again.get_model().encoder.view.mask_emb, run.get_model().encoder.view.mask_emb)
