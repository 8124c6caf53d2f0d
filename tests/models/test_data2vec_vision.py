"""The registered image model: what each side sees, fairseq's arguments in and keys out."""

from __future__ import annotations

import copy
import inspect
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from fairseq.models import MODEL_REGISTRY
from models.tiny_vision import DIM, LAYERS, SIDE, N, grid_mask, images, tiny_vision

from data2vec_plugin.core.masks.mask import Mask
from data2vec_plugin.models.data2vec_vision import Data2VecVisionModel


def teacher_signals(model: Data2VecVisionModel, name: str) -> Any:
    """The teacher's signals on the whole image, lowest layer first, (B, N, C)."""
    teacher = model.method.ensure_teacher()
    return teacher.encode(model.encoder, images(), None, model.encoder.embed(images()), record=(name,)).signal(name)


def test_registered_under_upstreams_name() -> None:
    assert MODEL_REGISTRY["data2vec_vision"] is Data2VecVisionModel


def test_forward_takes_upstreams_arguments() -> None:
    names = list(inspect.signature(Data2VecVisionModel.forward).parameters)
    assert names[:4] == ["self", "img", "mask", "layer_results"]


def test_training_gives_upstreams_keys_and_every_gradient() -> None:  # B2
    model = tiny_vision()
    model.set_num_updates(3)
    result = model(images())
    assert set(result["losses"]) == {"regression"}
    assert {"losses", "sample_size", "target_var", "pred_var", "ema_decay"} <= set(result)
    assert result["ema_decay"] == pytest.approx(999)
    assert result["sample_size"] == len(result["targets"]) == len(result["predictions"])
    result["losses"]["regression"].backward()
    assert not [name for name, parameter in model.named_parameters() if parameter.grad is None]


def test_reference_head_asks_for_no_gradient() -> None:  # B2
    model = tiny_vision(reference_compat=True)
    model(images())["losses"]["regression"].backward()
    without = {name for name, parameter in model.named_parameters() if parameter.grad is None}
    assert without == {"method.predictor.weight", "method.predictor.bias"}
    assert not any(parameter.requires_grad for name, parameter in model.named_parameters() if name in without)


@pytest.mark.parametrize("whole", [False, True], ids=["encoder", "model"])
@pytest.mark.parametrize(
    ("settings", "signal"),
    [
        ({}, "block"),
        ({"end_of_block_targets": False}, "ffn"),
        ({"target_signal": "attention"}, "attention"),
        ({"target_signal": "ffn_residual"}, "ffn_residual"),
    ],
)
def test_teacher_sees_the_whole_image(settings: Any, signal: str, whole: bool) -> None:
    model = tiny_vision(ema_transformer_only=not whole, **settings).eval()
    result = model(images(), mask=grid_mask())
    average = torch.stack(teacher_signals(model, signal)[-2:]).mean(0)
    torch.testing.assert_close(result["targets"], average[grid_mask().flatten(1)], rtol=1e-5, atol=1e-6)


def test_a_feed_forward_target_holds_its_layer_scale() -> None:
    model = tiny_vision(end_of_block_targets=False, average_top_k_layers=1, layer_scale_init_value=0.25)
    module: Any = model.method.ensure_teacher().module
    seen = {}
    layer = module.encoder.transformer.layers[-1]
    handle = layer.fc2.register_forward_hook(lambda mod, args, out: seen.update(out=out))
    result = model(images(), mask=grid_mask())
    handle.remove()
    torch.testing.assert_close(result["targets"], seen["out"] * 0.25)


def test_a_given_mask_is_the_mask() -> None:
    model = tiny_vision().eval()
    result = model(images(), mask=grid_mask())
    assert torch.equal(result["mask_indices"], grid_mask().flatten(1))
    assert result["sample_size"] == int(grid_mask().sum())
    positions = grid_mask().flatten().nonzero().squeeze(1)
    for mask in (grid_mask(), grid_mask().long()):
        again = model(images(), mask=mask, mask_positions=positions)
        assert torch.equal(again["predictions"], result["predictions"])
    as_one = model(images(), mask=Mask.given(grid_mask().flatten(1)).as_dict())
    assert torch.equal(as_one["predictions"], result["predictions"])


def test_a_drawn_mask_follows_torchs_seed() -> None:
    model, drawn = tiny_vision().eval(), []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        drawn.append(model(images())["mask_indices"])
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


@pytest.mark.parametrize("shape", [(2, N), (2, SIDE, SIDE + 1), (2, 1, SIDE, SIDE), (3, SIDE, SIDE)])
def test_a_mask_of_another_shape_is_refused(shape: Any) -> None:
    with pytest.raises(ValueError, match=r"`(mask|indices)` (of the mask have|has) shape"):
        tiny_vision()(images(), mask=torch.ones(shape, dtype=torch.bool))


def test_a_mask_that_hides_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing is masked"):
        tiny_vision()(images(), mask=torch.zeros(2, SIDE, SIDE, dtype=torch.bool))


@pytest.mark.parametrize(("scale", "factor"), [(None, DIM**-0.5), (0.0, 1.0), (-1.0, 1.0), (1.0, 1.0), (0.5, 0.5)])
@pytest.mark.parametrize("beta", [0.0, 2.0])
def test_loss(scale: Any, factor: float, beta: float) -> None:
    result = tiny_vision(loss_scale=scale, loss_beta=beta)(images(), mask=grid_mask())
    ours, wanted = result["predictions"], result["targets"]
    loss = F.smooth_l1_loss(ours, wanted, reduction="sum", beta=beta) if beta else (ours - wanted).square().sum()
    assert float(result["losses"]["regression"].detach()) == pytest.approx(float(loss) * factor, rel=1e-5)


@pytest.mark.parametrize(
    "key", ["layer_norm_target_layer", "instance_norm_target_layer", "batch_norm_target_layer", "instance_norm_targets"]
)
def test_normalisation_of_targets(key: str) -> None:
    model = tiny_vision(**{key: True, "average_top_k_layers": 1})
    everywhere = torch.ones(2, SIDE, SIDE, dtype=torch.bool)
    ours = model(images(), mask=everywhere)["targets"].view(2, N, DIM)
    layer = teacher_signals(model, "block")[-1]
    wanted = {
        "layer_norm_target_layer": lambda: F.layer_norm(layer, (DIM,)),
        "batch_norm_target_layer": lambda: F.batch_norm(layer.transpose(1, 2), None, None, training=True).transpose(
            1, 2
        ),
    }.get(key, lambda: F.instance_norm(layer.transpose(1, 2)).transpose(1, 2))()
    torch.testing.assert_close(ours, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "settings", [{}, {"shared_rel_pos_bias": False}, {"rel_pos_bias": False}], ids=["shared", "layers", "none"]
)
def test_every_kind_of_relative_positions_trains(settings: Any, capsys: pytest.CaptureFixture) -> None:  # B3
    """The reference stops at a table of each layer, and prints from inside its layers."""
    model = tiny_vision(**settings)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    losses = []
    for update in range(12):
        model.set_num_updates(update)
        loss = model(images(), mask=grid_mask())["losses"]["regression"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    assert capsys.readouterr().out == ""


def test_features() -> None:
    model = tiny_vision().eval()
    result = model(images(), mask=False, layer_results=True)
    assert result["x"].shape == (2, N, DIM)
    assert result["padding_mask"] is None
    assert [layer.shape for layer in result["layer_results"]] == [(2, N, DIM)] * LAYERS
    assert model.encoder.transformer.layer_norm is not None
    torch.testing.assert_close(model.encoder.transformer.layer_norm(result["layer_results"][-1]), result["x"])
    alone = model(images()[1:], mask=False)
    torch.testing.assert_close(alone["x"], result["x"][1:])
    assert alone["layer_results"] == []
    assert torch.equal(model.extract_features(images())["x"], result["x"])
    masked = model(images(), mask=grid_mask(), layer_results=True)
    assert not torch.equal(masked["x"], result["x"])
    assert "losses" not in masked


def test_more_target_layers_than_layers_cannot_pretrain() -> None:
    with pytest.raises(ValueError, match=rf"`average_top_k_layers` is 8, but the encoder has {LAYERS} layers"):
        tiny_vision(average_top_k_layers=8)(images())
    tiny_vision(average_top_k_layers=8)(images(), mask=False)
    tiny_vision(average_top_k_layers=8, reference_compat=True)(images())


@pytest.mark.parametrize(("last", "compat"), [(None, False), (1, False), (1, True)])
def test_without_its_pretraining_parts_the_model_gives_features_alone(last: Any, compat: bool) -> None:
    model = tiny_vision(shared_rel_pos_bias=False, reference_compat=compat).eval()
    before = model(images(), mask=False, layer_results=True)["layer_results"][LAYERS - 1 if last is None else last]
    model.set_num_updates(0)
    model.remove_pretraining_modules(last_layer=last)
    assert model.method.teacher is None
    model.set_num_updates(1)
    assert model.method.teacher is None
    torch.testing.assert_close(model(images(), mask=False)["x"], before)
    with pytest.raises(ValueError, match="built for fine-tuning, without a prediction head"):
        model(images())


def test_drop_path_and_attention_dropout_are_for_the_student_in_training() -> None:
    model = tiny_vision(drop_path=0.5, attention_dropout=0.3)
    first, second = (model(images(), mask=grid_mask()) for _ in range(2))
    assert not torch.equal(first["predictions"], second["predictions"])
    assert torch.equal(first["targets"], second["targets"])
    model.eval()
    assert torch.equal(model(images(), mask=False)["x"], model(images(), mask=False)["x"])


def test_checkpointed_activations_give_the_same_gradients() -> None:
    found = []
    for saving in (False, True):
        model = tiny_vision(checkpoint_activations=saving)
        model(images(), mask=grid_mask())["losses"]["regression"].backward()
        found.append([parameter.grad for parameter in model.parameters()])
    for plain, recomputed in zip(*found):
        torch.testing.assert_close(plain, recomputed)


OLD = tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 3)
HALF = pytest.param(torch.float16, marks=pytest.mark.skipif(OLD, reason="this torch multiplies no halves on a CPU"))


@pytest.mark.parametrize("dtype", [HALF, torch.bfloat16])
@pytest.mark.parametrize("whole", [False, True], ids=["encoder", "model"])
def test_half_precision(dtype: torch.dtype, whole: bool) -> None:
    model = tiny_vision(ema_transformer_only=not whole, shared_rel_pos_bias=whole)
    exact = model(images(), mask=grid_mask())
    half = tiny_vision(ema_transformer_only=not whole, shared_rel_pos_bias=whole).to(dtype)
    result = half(images().to(dtype), mask=grid_mask())
    assert result["predictions"].dtype == dtype
    assert result["targets"].dtype == torch.float32
    torch.testing.assert_close(result["targets"], exact["targets"], rtol=0.1, atol=0.1)
    result["losses"]["regression"].backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in half.parameters() if parameter.grad is not None)


def test_a_deep_copy_is_another_model() -> None:
    model = tiny_vision()
    model.set_num_updates(0)
    copied = copy.deepcopy(model)
    wanted = model(images(), mask=grid_mask())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    result = copied(images(), mask=grid_mask())
    assert torch.equal(result["predictions"], wanted["predictions"])
    assert torch.equal(result["targets"], wanted["targets"])
