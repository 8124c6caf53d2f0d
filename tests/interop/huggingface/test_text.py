"""data2vec_text against Hugging Face's Data2VecText: every weight, every key, the same outputs."""

from __future__ import annotations

from typing import Any, Dict

import pytest
import torch
from interop.huggingface.models import assert_agree, in_memory, keys, loaded, scatter, shapes, theirs
from models.tiny import drift
from models.tiny_text import DIM, MASK, PAD, tiny_text, whole
from torch import Tensor

from data2vec_plugin.interop.huggingface import text as hf_text
from data2vec_plugin.interop.huggingface.text import config_from_hf, config_to_hf, weights_from_hf, weights_to_hf

transformers = pytest.importorskip("transformers")
KINDS = ("base", "classification")
CLASSES = {"num_labels": 3}
SIZE = {"vocab_size": MASK + 1}


def model(**settings: Any) -> Any:
    made = tiny_text(head_layers=2, **settings)
    drift(made, 1)
    return made.eval()


def head(kind: str) -> Dict[str, Tensor]:
    if kind == "base":
        return {}
    shape = {"dense.weight": (DIM, DIM), "dense.bias": (DIM,), "out_proj.weight": (3, DIM), "out_proj.bias": (3,)}
    generator = torch.Generator().manual_seed(2)
    return {f"head.{name}": torch.randn(size, generator=generator) for name, size in shape.items()}


def padded() -> Tensor:
    ids = whole(3)
    ids[1, 7:] = PAD
    ids[1, 6] = 2
    ids[2, 3] = MASK
    return ids


@pytest.mark.parametrize("activation", sorted(hf_text.ACTIVATIONS))
def test_features_agree_on_padded_rows(activation: str) -> None:
    ours = model(transformer__activation_fn=activation)
    hf = loaded(hf_text, ours, "base", {}, **SIZE)
    ids = padded()
    real = ids.ne(PAD)
    with torch.no_grad():
        features, answer = ours.extract_features(ids)[0], hf(ids, attention_mask=real.long()).last_hidden_state
    assert_agree(features[real], answer[real])


def test_logits_agree() -> None:
    ours, weights = model(), head("classification")
    hf = loaded(hf_text, ours, "classification", weights, **SIZE, **CLASSES)
    ours.register_classification_head("head", 3)
    ours.classification_heads["head"].load_state_dict({name[len("head.") :]: value for name, value in weights.items()})
    ids = padded()
    with torch.no_grad():
        logits, answer = ours(ids, classification_head_name="head")[0], hf(ids, attention_mask=ids.ne(PAD).long())
    assert_agree(logits, answer.logits)


@pytest.mark.parametrize("kind", KINDS)
def test_the_way_back_gives_the_same_tensors(kind: str) -> None:
    state = {**in_memory(model()), **head(kind)}
    back = weights_from_hf(weights_to_hf(state, kind), kind)
    assert back.keys() == {name for name in state if not name.startswith("final_proj.")}
    assert all(value is state[name] for name, value in back.items())


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_of_theirs_has_its_place_in_ours(kind: str) -> None:
    hf = theirs(hf_text, config_to_hf(keys(model()), kind), kind, **SIZE, **CLASSES)
    ours = {name: value for name, value in in_memory(model()).items() if not name.startswith("final_proj.")}
    assert shapes(weights_from_hf(hf.state_dict(), kind)) == shapes({**ours, **head(kind)})


@pytest.mark.parametrize("name", ["Data2VecTextModel", "Data2VecTextForMaskedLM"])
def test_heads_of_other_objectives_are_left_behind(name: str) -> None:
    hf = getattr(transformers, name)(transformers.Data2VecTextConfig(**config_to_hf(keys(model()), "base"), **SIZE))
    saved = {**hf.state_dict(), "data2vec_text.embeddings.position_ids": torch.arange(34)}
    ours = {name: value for name, value in in_memory(model()).items() if not name.startswith("final_proj.")}
    assert shapes(weights_from_hf(saved, "base")) == shapes(ours)


def test_the_type_of_all_tokens_becomes_part_of_their_positions() -> None:
    hf = theirs(hf_text, config_to_hf(keys(model()), "base"), "base", **SIZE)
    scatter(hf)
    ours = model()
    ours.load_state_dict(weights_from_hf(hf.state_dict(), "base"), strict=False)
    ids = padded()
    real = ids.ne(PAD)
    with torch.no_grad():
        assert_agree(ours.extract_features(ids)[0][real], hf(ids, attention_mask=real.long()).last_hidden_state[real])


def test_types_that_differ_are_refused() -> None:
    state = weights_to_hf(in_memory(model()), "base")
    state[hf_text.TYPES] = torch.tensor([[0.0], [1.0]]).expand(2, DIM)
    with pytest.raises(ValueError, match=r"`embeddings\.token_type_embeddings\.weight` has 2 token types"):
        weights_from_hf(state, "base")


def test_an_unknown_weight_is_named() -> None:
    with pytest.raises(ValueError, match=r"`encoder\.layer\.0\.crossattention\.self\.query\.weight`"):
        weights_from_hf({"encoder.layer.0.crossattention.self.query.weight": torch.zeros(1)}, "base")


def test_a_configuration_comes_back() -> None:
    sent = keys(model(transformer__dropout=0.25, transformer__activation_fn="gelu_accurate", norm_eps=1e-6))
    back = config_from_hf(config_to_hf(sent, "base"), "base")
    transformer = {**sent["transformer"], **back["transformer"]}
    transformer["encoder"] = {**sent["transformer"]["encoder"], **back["transformer"]["encoder"]}
    assert transformer == sent["transformer"]
    assert back["norm_eps"] == sent["norm_eps"] == 1e-6
    assert "norm_eps" not in config_from_hf({"layer_norm_eps": 1e-5}, "base")  # which upstream does not know
    assert back["max_positions"] == sent["max_positions"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("encoder__normalize_before", True),
        ("encoder__learned_pos", False),
        ("transformer__no_scale_embedding", False),
        ("transformer__layernorm_embedding", False),
        ("transformer__no_token_positional_embeddings", True),
    ],
)
def test_what_they_cannot_be_is_named(key: str, value: bool) -> None:
    name = key.replace("encoder__", "transformer.encoder.").replace("transformer__", "transformer.")
    with pytest.raises(
        ValueError, match=rf"`model\.{name}` is {value}, but Hugging Face's Data2VecText supports only {not value}"
    ):
        config_to_hf(keys(model(**{key: value})), "base")


@pytest.mark.parametrize(("key", "value"), [("pad_token_id", 0), ("is_decoder", True), ("hidden_act", "quick_gelu")])
def test_what_we_cannot_be_is_named(key: str, value: Any) -> None:
    with pytest.raises(
        ValueError, match=rf"`{key}` is {value!r}(, but `data2vec_text` supports only|; expected one of gelu)"
    ):
        config_from_hf({key: value}, "base")


def test_their_defaults_are_theirs() -> None:
    real = transformers.Data2VecTextConfig().to_dict()
    assert {key: real.get(key, value) for key, value in hf_text.DEFAULTS.items()} == hf_text.DEFAULTS


def test_the_model_type_is_theirs() -> None:
    assert transformers.Data2VecTextConfig.model_type == hf_text.MODEL_TYPE
