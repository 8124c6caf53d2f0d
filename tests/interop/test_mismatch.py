"""A checkpoint that does not fit is told by what it is."""

import torch

from data2vec_plugin.interop.mismatch import explain, own_shapes, shapes

OURS = {"encoder.weight": (8, 4), "encoder.bias": (8,), "w2v_encoder.proj.weight": (32, 8), "mask_emb": (4,)}


def test_the_same_needs_no_word() -> None:
    assert explain(dict(OURS), OURS) == ""


def test_another_model() -> None:
    other = {"decoder.embed_tokens.weight": (100, 4), "mask_emb": (4,)}
    assert (
        "of another model: it has 1 of the 4 weights of this model, and holds `decoder.embed_tokens.weight`"
        in explain(other, OURS)
    )


def test_another_size() -> None:
    other = {**OURS, "encoder.weight": (16, 4), "encoder.bias": (16,)}
    text = explain(other, OURS)
    assert "another size: `encoder.weight` is (16, 4) in it and (8, 4) in the model, and 1 more differ" in text


def test_another_dictionary() -> None:
    other = {**OURS, "w2v_encoder.proj.weight": (30, 8)}
    assert "30 output symbols, but the dictionary has 32" in explain(other, OURS)


def test_missing_and_unknown_weights() -> None:
    other = {**OURS, "extra": (1,)}
    del other["encoder.bias"]
    assert explain(other, OURS) == "it lacks `encoder.bias`; it holds `extra`, which are not in the model"


def test_the_teachers_entry_is_no_weight() -> None:
    assert shapes({"a": torch.zeros(2, 3), "_ema": {"a": torch.zeros(2)}}) == {"a": (2, 3)}


def test_a_models_own_shapes_are_those_of_its_weights_under_their_names_in_memory() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 3, bias=False), torch.nn.BatchNorm1d(3, affine=False))
    model.register_buffer("table", torch.zeros(4), persistent=False)
    assert own_shapes(model) == shapes(model.state_dict())
