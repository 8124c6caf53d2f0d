"""The registered text model: what each side sees, what is regressed, fairseq's arguments in and keys out."""

from __future__ import annotations

import inspect
from typing import Any, Dict, List, Tuple

import pytest
import torch
import torch.nn.functional as F
from fairseq.models import MODEL_REGISTRY
from models.tiny_text import DIM, LAYERS, MASK, PAD, T, dictionary, tiny_text, whole
from torch import Tensor

from data2vec_plugin.core.masks.mask import Mask
from data2vec_plugin.models.data2vec_text import Data2VecTextModel

MASKED, KEPT, RANDOM = [2, 3, 7], [5], [8]


def stock_batch(padded: bool = False) -> Tuple[Dict[str, Tensor], Tensor]:
    """What fairseq's ``masked_lm`` hands over, and the sentences as they were."""
    original = whole()
    if padded:
        original[1, 9:] = PAD
        original[1, 8] = 2
    chosen = torch.zeros_like(original, dtype=torch.bool)
    chosen[:, MASKED + KEPT + RANDOM] = True
    source = original.clone()
    source[:, MASKED] = MASK
    source[:, RANDOM] = original[:, RANDOM] % 20 + 4
    source[original == PAD] = PAD
    chosen &= original != PAD
    return {"src_tokens": source, "target_tokens": original.masked_fill(~chosen, PAD)}, original


def teacher_targets(model: Data2VecTextModel, seen: Tensor, indices: Tensor) -> Tensor:
    teacher: Any = model.method.ensure_teacher().module
    padding_mask = seen.eq(PAD)
    tokens = teacher.encoder.embed(seen, padding_mask)
    layers = teacher.encoder.encode(tokens, record=("ffn",)).signal("ffn")
    return torch.stack(layers[-model.config.targets.top_k :]).mean(0)[indices]


def test_registered_under_upstreams_name() -> None:
    assert MODEL_REGISTRY["data2vec_text"] is Data2VecTextModel


def test_forward_takes_upstreams_arguments() -> None:
    names = list(inspect.signature(Data2VecTextModel.forward).parameters)
    upstream = "self src_tokens target_tokens features_only return_all_hiddens classification_head_name"
    assert names[:6] == upstream.split()


@pytest.mark.parametrize("padded", [False, True])
def test_teacher_sees_the_whole_sentence_under_stock_masked_lm(padded: bool) -> None:  # B25
    model = tiny_text()
    inputs, original = stock_batch(padded)
    result: Any = model(**inputs)
    chosen = inputs["target_tokens"].ne(PAD)
    torch.testing.assert_close(result["targets"], teacher_targets(model, original, chosen), rtol=1e-5, atol=1e-6)
    alike: Any = model(inputs["src_tokens"], original, mask_indices=chosen)
    torch.testing.assert_close(result["targets"], alike["targets"], rtol=1e-5, atol=1e-6)


def test_reference_teacher_sees_masked_tokens_only() -> None:  # B25
    model, (inputs, original) = tiny_text(reference_compat=True), stock_batch()
    result: Any = model(**inputs)
    visible = inputs["src_tokens"].eq(MASK)
    wanted = teacher_targets(model, inputs["target_tokens"], visible)
    torch.testing.assert_close(result["targets"], wanted, rtol=1e-5, atol=1e-6)
    assert (wanted - teacher_targets(model, original, visible)).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("compat", "is_whole", "regressed"),
    [
        (False, False, MASKED + KEPT + RANDOM),  # all that the task chose, also where the student sees a word
        (False, True, MASKED),  # the target does not tell what was chosen
        (True, False, MASKED),
        (True, True, MASKED),
    ],
)
def test_what_is_regressed(compat: bool, is_whole: bool, regressed: List[int]) -> None:
    inputs, original = stock_batch()
    if is_whole:
        inputs["target_tokens"] = original
    result: Any = tiny_text(reference_compat=compat)(**inputs)
    wanted = torch.zeros(2, T, dtype=torch.bool)
    wanted[:, regressed] = True
    assert torch.equal(result["mask_indices"], wanted)
    assert result["sample_size"] == 2 * len(regressed)


def test_padding_is_not_regressed_and_whole_targets_are_known_row_by_row() -> None:
    inputs, original = stock_batch(padded=True)
    inputs["target_tokens"][1] = original[1]  # one row whole, with its padding
    result: Any = tiny_text()(**inputs)
    assert result["mask_indices"][0].nonzero().flatten().tolist() == sorted(MASKED + KEPT + RANDOM)
    assert result["mask_indices"][1].nonzero().flatten().tolist() == MASKED
    assert not result["mask_indices"][original == PAD].any()


def test_given_indices_and_positions_are_the_mask() -> None:
    inputs, original = stock_batch()
    indices = torch.zeros(2, T, dtype=torch.bool)
    indices[0, 4:6] = indices[1, 1] = True
    result: Any = tiny_text()(inputs["src_tokens"], original, mask_indices=indices)
    assert torch.equal(result["mask_indices"], indices)
    positions = indices.flatten().nonzero().squeeze(1)
    again: Any = tiny_text()(inputs["src_tokens"], original, mask_indices=indices, mask_positions=positions)
    whole_mask = Mask.given(indices).as_dict()
    as_one: Any = tiny_text()(inputs["src_tokens"], original, mask=whole_mask)
    for other in (again, as_one):
        assert torch.equal(other["predictions"], result["predictions"])
    assert result["sample_size"] == 3
    with pytest.raises(ValueError, match="`mask` holds a complete mask, but other arguments hold parts"):
        tiny_text()(inputs["src_tokens"], original, mask=whole_mask, mask_indices=indices)


def test_training_gives_upstreams_keys_and_every_gradient() -> None:
    model, (inputs, _) = tiny_text(head_layers=2), stock_batch()
    model.set_num_updates(3)
    result: Any = model(**inputs)
    assert set(result["losses"]) == {"main"}
    assert {"losses", "sample_size", "logs", "target_var", "pred_var"} <= set(result)
    assert result["logs"]["ema_decay"] == pytest.approx(999)
    result["losses"]["main"].backward()
    assert not [name for name, parameter in model.named_parameters() if parameter.grad is None]


@pytest.mark.parametrize(
    ("scale", "factor"), [(None, DIM**-0.5), (0.0, DIM**-0.5), (-1.0, DIM**-0.5), (1.0, 1.0), (0.5, 0.5)]
)
@pytest.mark.parametrize("beta", [0.0, 4.0])
def test_loss(scale: Any, factor: float, beta: float) -> None:  # B21
    inputs, _ = stock_batch()
    result: Any = tiny_text(loss_scale=scale, loss_beta=beta)(**inputs)
    ours, wanted = result["predictions"], result["targets"]
    loss = F.smooth_l1_loss(ours, wanted, reduction="sum", beta=beta) if beta else (ours - wanted).square().sum()
    assert float(result["losses"]["main"].detach()) == pytest.approx(float(loss) * factor, rel=1e-5)


@pytest.mark.parametrize("key", ["instance_norm_targets", "instance_norm_target_layer"])
def test_instance_norm_runs_over_time(key: str) -> None:  # B22
    model, (inputs, original) = tiny_text(**{key: True, "average_top_k_layers": 1}), stock_batch()
    everywhere = torch.ones_like(original, dtype=torch.bool)
    result: Any = model(inputs["src_tokens"], original, mask_indices=everywhere)
    targets = result["targets"].view(2, T, DIM)
    assert targets.mean(1).abs().max() < 1e-4
    spread = teacher_targets(tiny_text(average_top_k_layers=1), original, everywhere).view(2, T, DIM)
    assert (spread.mean(1).abs() > 1e-3).any()
    torch.testing.assert_close(targets, F.instance_norm(spread.transpose(1, 2)).transpose(1, 2), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("padded", [None, False, True])
def test_a_batch_without_padding_passes_no_mask(padded: Any) -> None:
    model, seen = tiny_text().eval(), []
    model.method.ensure_teacher()  # before there is a hook to copy
    model.encoder.transformer.register_forward_pre_hook(lambda module, args: seen.append(args[1]))
    inputs, _ = stock_batch()
    model(**inputs, padded=padded)
    assert (seen[0] is None) == (padded is not True)
    inputs, _ = stock_batch(padded=True)
    model(**inputs)
    assert torch.equal(seen[1], inputs["src_tokens"].eq(PAD))


def test_features() -> None:
    model = tiny_text().eval()
    x, extra = model.extract_features(whole(), return_all_hiddens=True)
    assert x.shape == (2, T, DIM)
    assert len(extra["inner_states"]) == LAYERS + 1
    assert extra["inner_states"][-1].shape == (T, 2, DIM)
    torch.testing.assert_close(extra["inner_states"][-1].transpose(0, 1), x)
    assert model(whole(), features_only=True)[1]["inner_states"] is None
    torch.testing.assert_close(extra["encoder_embedding"], model.encoder.embedder.embed_tokens(whole()))


def test_pretraining_needs_targets_and_something_hidden() -> None:
    with pytest.raises(ValueError, match=r"`target_tokens` is missing: .*`task\.include_target_tokens=true`"):
        tiny_text()(whole())
    with pytest.raises(ValueError, match="nothing is masked"):
        tiny_text()(whole(), whole())


def test_a_dictionary_without_a_mask_symbol_is_refused() -> None:
    symbols = dictionary()
    del symbols.indices["<mask>"], symbols.symbols[-1], symbols.count[-1]
    with pytest.raises(ValueError, match="the dictionary has no <mask>"):
        tiny_text(symbols)


def test_more_target_layers_than_layers_cannot_pretrain() -> None:
    inputs, _ = stock_batch()
    with pytest.raises(ValueError, match=rf"`average_top_k_layers` is 8, but the encoder .* {LAYERS}"):
        tiny_text(average_top_k_layers=8)(**inputs)
    tiny_text(average_top_k_layers=8).extract_features(whole())
    tiny_text(average_top_k_layers=8, reference_compat=True)(**inputs)


def test_heads_are_registered_replaced_and_asked_for_by_name(caplog: pytest.LogCaptureFixture) -> None:
    model = tiny_text()
    model.register_classification_head("sentiment", num_classes=3)
    logits, _ = model(whole(), features_only=True, classification_head_name="sentiment")
    assert logits.shape == (2, 3)
    assert not caplog.records
    model.register_classification_head("sentiment", num_classes=5, inner_dim=7)
    assert "classification head `sentiment` is replaced by one with 5 classes" in caplog.text
    assert model.classification_heads is not None
    assert model.classification_heads.shape("sentiment") == (5, 7)
    with pytest.raises(ValueError, match=r"there is no classification head `topic`; .*`sentence_prediction`"):
        model(whole(), classification_head_name="topic")
    log_probs = model.get_normalized_probs((logits, {}), log_probs=True)
    torch.testing.assert_close(log_probs.exp().sum(-1), torch.ones(2))


def test_a_model_with_a_head_carries_no_teacher() -> None:
    saved = tiny_text()
    saved.set_num_updates(0)
    state, model = saved.state_dict(), tiny_text()
    model.register_classification_head("sentiment", num_classes=3)
    model.upgrade_state_dict(state)
    model.load_state_dict(state, strict=False)
    model.train().set_num_updates(1)
    assert model.method.teacher is None
    assert "encoder._ema" not in model.state_dict()
    assert "encoder.regression_head.0.weight" in model.state_dict()  # as upstream's fine-tuned models have it
    assert torch.equal(model.encoder.embedder.embed_tokens.weight, saved.encoder.embedder.embed_tokens.weight)
    with pytest.raises(ValueError, match="built for fine-tuning"):
        model(**stock_batch()[0])


def test_without_its_pretraining_parts_the_model_gives_features_alone() -> None:
    model, (inputs, _) = tiny_text().eval(), stock_batch()
    before = model.extract_features(whole(), return_all_hiddens=True)[1]["inner_states"][2].transpose(0, 1)
    model.set_num_updates(0)
    model.remove_pretraining_modules(last_layer=1)
    assert model.method.teacher is None
    model.set_num_updates(1)
    assert model.method.teacher is None
    torch.testing.assert_close(model.extract_features(whole())[0], before)
    with pytest.raises(ValueError, match="built for fine-tuning, without a prediction head"):
        model(**inputs)
    with pytest.raises(ValueError, match=r"`model\._name=data2vec_text_classification`"):
        model.register_classification_head("sentiment")


def test_what_fairseqs_tasks_ask_for() -> None:
    model = tiny_text()
    assert model.max_positions() == 32
    assert model.supported_targets == {"self"}
    assert not vars(model.args)  # stock `sentence_prediction` reads it
