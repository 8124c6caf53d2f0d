"""data2vec_vision against Hugging Face's Data2VecVision: every weight, every key, the same outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

import pytest
import torch
from interop.huggingface.models import assert_agree, in_memory, keys, loaded, scatter, shapes, theirs
from models.tiny import drift
from models.tiny_image import CLASSES, classifier, write_checkpoint
from models.tiny_vision import DIM, images, tiny_vision
from torch import Tensor

from data2vec_plugin.interop.huggingface import vision as hf_vision
from data2vec_plugin.interop.huggingface.vision import config_from_hf, config_to_hf, weights_from_hf, weights_to_hf

transformers = pytest.importorskip("transformers")
KINDS = ("base", "classification")
POSITIONS: Dict[str, Dict[str, Any]] = {
    "shared": {},
    "layers": {"shared_rel_pos_bias": False},
    "none": {"rel_pos_bias": False},
    "no layer scale": {"layer_scale_init_value": 0.0},
}


def model(**settings: Any) -> Any:
    made = tiny_vision(**settings)
    drift(made, 1)
    return made.eval()


def fine_tuned(path: Path, **settings: Any) -> Any:
    """A classifier none of whose weights is as it begins."""
    made = classifier(write_checkpoint(path, **settings))
    drift(made, 2)
    return made.eval()


def head(made: Any) -> Dict[str, Tensor]:
    return {f"head.{name}": value for name, value in in_memory(made).items() if not name.startswith("model.")}


@pytest.mark.parametrize("positions", sorted(POSITIONS))
def test_features_agree(positions: str) -> None:
    ours = model(**POSITIONS[positions])
    hf = loaded(hf_vision, ours, "base", {})
    with torch.no_grad():
        features, answer = ours.extract_features(images())["x"], hf(images()).last_hidden_state
    assert_agree(features, answer[:, 1:])


def test_features_of_masked_patches_agree() -> None:
    ours, mask = model(), torch.rand(2, 4, 4, generator=torch.Generator().manual_seed(5)) < 0.5
    hf = loaded(hf_vision, ours, "base", {})
    with torch.no_grad():
        features = ours(images(), mask=mask, layer_results=True)["x"]
        answer = hf(images(), bool_masked_pos=mask.flatten(1)).last_hidden_state
    assert_agree(features, answer[:, 1:])


@pytest.mark.parametrize("positions", sorted(POSITIONS))
def test_logits_agree(tmp_path: Path, positions: str) -> None:
    ours = fine_tuned(tmp_path / "p.pt", **POSITIONS[positions])
    hf = loaded(hf_vision, ours.model, "classification", head(ours), num_labels=CLASSES)
    with torch.no_grad():
        assert_agree(ours(images()), hf(images()).logits)


@pytest.mark.parametrize("eps", [1e-12, 1e-2])
def test_other_peoples_norms_are_kept(tmp_path: Path, eps: float) -> None:
    ours = fine_tuned(tmp_path / "p.pt", norm_eps=eps)
    hf = loaded(hf_vision, ours.model, "classification", head(ours), num_labels=CLASSES)
    with torch.no_grad():
        assert_agree(ours(images() * 1e-3), hf(images() * 1e-3).logits)


@pytest.mark.parametrize("positions", sorted(POSITIONS))
def test_the_way_back_gives_the_same_values(positions: str) -> None:
    state = in_memory(model(**POSITIONS[positions]))
    back = weights_from_hf(weights_to_hf(state, "base"), "base")
    assert back.keys() == state.keys() - {"final_proj.weight", "final_proj.bias"}
    assert all(torch.equal(value, state[name]) for name, value in back.items())


def test_the_way_back_of_a_classifier_gives_the_same_tensors(tmp_path: Path) -> None:
    ours = fine_tuned(tmp_path / "p.pt")
    state = {**in_memory(ours.model), **head(ours)}
    back = weights_from_hf(weights_to_hf(state, "classification"), "classification")
    assert back.keys() == state.keys()
    assert all(value is state[name] for name, value in back.items())


@pytest.mark.parametrize("kind", KINDS)
def test_what_older_versions_save_besides_is_left_behind(tmp_path: Path, kind: str) -> None:
    ours = fine_tuned(tmp_path / "p.pt") if kind == "classification" else model()
    config = config_to_hf(keys(getattr(ours, "model", ours)), kind)
    saved = theirs(hf_vision, config, kind, num_labels=CLASSES).state_dict()
    prefix = hf_vision.PREFIX if kind == "classification" else ""
    extra = {hf_vision.INDICES[0], hf_vision.INDICES[1].format(0), hf_vision.MASK, "pooler.layernorm.weight"}
    saved = {**{prefix + name: torch.zeros(1, 1, DIM) for name in extra}, **saved}
    wanted = in_memory(ours) if kind == "base" else {**in_memory(ours.model), **head(ours)}
    expected = {name: value for name, value in wanted.items() if not name.startswith("final_proj.")}
    assert shapes(weights_from_hf(saved, kind)) == shapes(expected)


def test_a_base_model_that_pools_gets_the_norm_it_lacks() -> None:
    config = {**config_to_hf(keys(model()), "base"), "use_mean_pooling": True, "use_mask_token": False}
    hf = theirs(hf_vision, config, "base")
    scatter(hf)
    ours = model()
    ours.load_state_dict(weights_from_hf(hf.state_dict(), "base"), strict=False)
    with torch.no_grad():
        answer = torch.nn.functional.layer_norm(hf(images()).last_hidden_state, (DIM,))
        assert_agree(ours.extract_features(images())["x"], answer[:, 1:])


@pytest.mark.parametrize("positions", sorted(POSITIONS))
def test_a_configuration_comes_back(positions: str) -> None:
    sent = keys(model(drop_path=0.25, attention_dropout=0.125, norm_eps=1e-6, **POSITIONS[positions]))
    back = config_from_hf(config_to_hf(sent, "base"), "base")
    assert set(back) <= set(sent) | {"_name"}
    left_open = {"_name", "average_top_k_layers", "ema_anneal_end_step"}
    assert {key: sent[key] for key in back if key not in left_open} == {
        k: v for k, v in back.items() if k not in left_open
    }


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"use_absolute_position_embeddings": True},
            r"`use_absolute_position_embeddings` is True, but `data2vec_vision`",
        ),
        ({"hidden_act": "relu"}, r"`hidden_act` is 'relu', but `data2vec_vision` supports only 'gelu'"),
        (
            {"intermediate_size": 1000},
            r"`intermediate_size` is 1000; `data2vec_vision` supports only multiples of `hidden_s",
        ),
        ({"image_size": [224, 192]}, r"`image_size` is \[224, 192\]; `data2vec_vision` supports square images only"),
        (
            {"use_relative_position_bias": True, "use_shared_relative_position_bias": True},
            r"`use_shared_relative_position_bias` and `use_relative_position_bias` are both true",
        ),
        (
            {"use_mean_pooling": False},
            r"`use_mean_pooling` is False, but `data2vec_image_classification` supports only True",
        ),
    ],
)
def test_what_we_cannot_be_is_named(config: Dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config_from_hf(config, "classification")


def test_their_defaults_are_theirs() -> None:
    real = transformers.Data2VecVisionConfig().to_dict()
    assert {key: real[key] for key in hf_vision.DEFAULTS} == hf_vision.DEFAULTS


def test_the_model_type_is_theirs() -> None:
    assert transformers.Data2VecVisionConfig.model_type == hf_vision.MODEL_TYPE
