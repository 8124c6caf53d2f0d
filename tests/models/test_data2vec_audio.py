"""The registered speech model: fairseq's arguments in, fairseq's keys out."""

from __future__ import annotations

import inspect
from typing import Any, List

import pytest
import torch
from fairseq.models import MODEL_REGISTRY
from models.tiny import DIM, FRAMES, LAYERS, SAMPLES, batch, tiny_model
from torch import Tensor

from data2vec_plugin.core.masks.mask import Mask
from data2vec_plugin.models.data2vec_audio import Data2VecAudioModel


def hidden(*rows: range) -> Tensor:
    mask = torch.zeros(len(rows), FRAMES, dtype=torch.bool)
    for row, frames in enumerate(rows):
        mask[row, list(frames)] = True
    return mask


def test_registered_under_upstreams_name() -> None:
    assert MODEL_REGISTRY["data2vec_audio"] is Data2VecAudioModel


def test_forward_takes_upstreams_arguments() -> None:
    names = list(inspect.signature(Data2VecAudioModel.forward).parameters)
    upstream = "self source padding_mask mask features_only layer mask_indices mask_channel_indices padding_count"
    assert names[:9] == upstream.split()


def test_training_gives_upstreams_keys() -> None:
    model = tiny_model()
    model.set_num_updates(3)
    result = model(batch(), mask_indices=hidden(range(5, 15), range(20, 26)))
    assert {"losses", "sample_size", "target_var", "pred_var", "ema_decay"} <= set(result)
    assert set(result["losses"]) == {"regression"}
    assert result["sample_size"] == 16
    assert result["ema_decay"] == pytest.approx(999)
    result["losses"]["regression"].backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_given_positions_are_the_given_mask() -> None:
    model, indices = tiny_model(), hidden(range(5, 15), range(20, 26))
    positions = indices.reshape(-1).nonzero().squeeze(1)
    with_positions = model(batch(), mask_indices=indices, mask_positions=positions)
    assert torch.equal(with_positions["predictions"], model(batch(), mask_indices=indices)["predictions"])


def test_mask_hides_the_frames_from_the_student_and_not_from_the_teacher() -> None:
    model, indices = tiny_model(), hidden(range(5, 15))
    seen: List[Tensor] = []
    teacher: Any = model.method.ensure_teacher().module  # before the student has a hook to copy
    model.encoder.view.register_forward_hook(lambda module, args, tokens: seen.append(tokens.x))
    teacher.encoder.transformer.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    model(batch(1), mask_indices=indices)
    student, whole = seen
    assert torch.equal(student[indices], model.encoder.view.mask_emb.expand(10, -1))
    tokens = model.encoder.embed(batch(1))
    torch.testing.assert_close(student[~indices], tokens.x[~indices])
    assert (tokens.x[indices] - model.encoder.view.mask_emb).abs().amax(-1).min() > 0.01
    torch.testing.assert_close(whole, teacher.encoder.first_input(tokens, model.encoder).x)


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("every_frame", [False, True])
def test_channel_mask_zeroes_channels(before: bool, every_frame: bool) -> None:
    model, indices = tiny_model(mask_channel_before=before), hidden(range(5, 15))
    channels = torch.zeros(1, DIM, dtype=torch.bool)
    channels[:, 3:7] = True
    given = channels.unsqueeze(1).expand(-1, FRAMES, -1) if every_frame else channels
    seen: List[Tensor] = []
    model.encoder.view.register_forward_hook(lambda module, args, tokens: seen.append(tokens.x))
    model(batch(1), mask_indices=indices, mask_channel_indices=given)
    assert (seen[0][~indices][:, 3:7] == 0).all()
    assert (seen[0][indices][:, 3:7] == 0).all() != before  # the mask embedding comes on top of an earlier mask
    assert (seen[0][..., 7:] != 0).all()


def test_channels_are_drawn_beside_a_given_time_mask() -> None:
    model = tiny_model(mask_channel_prob=0.9, mask_channel_length=4)
    seen: List[Tensor] = []
    model.encoder.view.register_forward_hook(lambda module, args, tokens: seen.append(tokens.x))
    model(batch(1), mask_indices=hidden(range(5, 15)))
    assert (seen[0] == 0).all(1).any()


@pytest.mark.parametrize("padded", [False, True])
def test_frames_are_drawn_beside_given_channels(padded: bool) -> None:
    model = tiny_model()
    padding_mask = torch.arange(SAMPLES) >= torch.tensor([[SAMPLES], [255]]) if padded else None
    channels = torch.zeros(2, DIM, dtype=torch.bool)
    channels[:, 3:7] = True
    torch.manual_seed(3)
    drawn = model(batch(), padding_mask)["mask_indices"]
    seen: List[Tensor] = []
    model.encoder.view.register_forward_hook(lambda module, args, tokens: seen.append(tokens.x))
    torch.manual_seed(3)
    result = model(batch(), padding_mask, mask_channel_indices=channels)
    assert torch.equal(result["mask_indices"], drawn)
    assert (seen[0][..., 3:7] == 0).all()
    assert (seen[0][0, :, 7:] != 0).all()


def test_pretraining_without_a_mask_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`mask` is False, .* add `features_only=True`"):
        tiny_model()(batch(), mask=False)


def test_features_without_a_mask_draw_none_for_given_channels() -> None:
    model = tiny_model().eval()
    channels = torch.ones(2, DIM, dtype=torch.bool)
    before = torch.get_rng_state()
    features = model.extract_features(batch(), mask=False, mask_channel_indices=channels)["x"]
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(features, model.extract_features(batch())["x"])


def test_masks_are_drawn_where_none_is_given() -> None:
    model = tiny_model()
    torch.manual_seed(3)
    first = model(batch())["mask_indices"]
    torch.manual_seed(3)
    assert torch.equal(model(batch())["mask_indices"], first)
    assert 0.2 < first.float().mean() < 0.7
    assert len(set(first.sum(1).tolist())) == 1


def test_padded_frames_are_not_masked() -> None:
    padding_mask = torch.arange(SAMPLES) >= torch.tensor([[SAMPLES], [255]])
    for seed in range(10):
        torch.manual_seed(seed)
        assert not tiny_model()(batch(), padding_mask)["mask_indices"][1, 25:].any()


@pytest.mark.parametrize("layer", [None, 0, 1])
def test_features(layer: Any) -> None:
    model = tiny_model().eval()
    result = model.extract_features(batch(), layer=layer)
    assert set(result) == {"x", "padding_mask", "layer_results"}
    assert result["x"].shape == (2, FRAMES, DIM)
    assert result["padding_mask"] is None
    assert len(result["layer_results"]) == (LAYERS if layer is None else layer + 1)
    output, attention, ffn = result["layer_results"][-1]
    assert attention is None
    assert output.shape == ffn.shape == (FRAMES, 2, DIM)
    torch.testing.assert_close(result["x"], output.transpose(0, 1))


def test_features_are_masked_only_if_asked_to() -> None:
    model = tiny_model().eval()
    plain = model.extract_features(batch())["x"]
    indices = hidden(range(5, 15), range(20, 26))
    masked = model.extract_features(batch(), mask=True, mask_indices=indices)["x"]
    assert (masked - plain).abs().max() > 0.01
    assert torch.equal(model.extract_features(batch(), mask=False, mask_indices=indices)["x"], plain)


def test_mask_probability_zero_hides_no_frame_in_fine_tuning() -> None:
    model = tiny_model(mask_prob=0.0)
    model.remove_pretraining_modules()
    assert torch.equal(model.extract_features(batch(), mask=True)["x"], model.extract_features(batch())["x"])


def test_padding_mask_that_hides_nothing_changes_nothing() -> None:
    model, unpadded = tiny_model().eval(), torch.zeros(2, SAMPLES, dtype=torch.bool)
    with_mask = model.extract_features(batch(), unpadded)
    assert with_mask["padding_mask"] is None
    assert torch.equal(with_mask["x"], model.extract_features(batch())["x"])


def test_too_short_a_clip_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`source` has 19 samples, but one frame .* needs 20"):
        tiny_model()(torch.randn(1, 19))


def test_without_its_head_the_model_cannot_pretrain() -> None:
    model = tiny_model()
    model.remove_pretraining_modules()
    with pytest.raises(ValueError, match="built for fine-tuning, without a prediction head"):
        model(batch())


@pytest.mark.parametrize("signal", ["attention", "ffn", "ffn_residual", "block"])
def test_any_signal_of_a_layer_can_be_the_target(signal: str) -> None:
    model = tiny_model(target_signal=signal)
    result = model(batch(), mask_indices=hidden(range(5, 15), range(20, 26)))
    teacher: Any = model.method.ensure_teacher().module
    whole = model.encoder.first_input(model.encoder.embed(batch()), None).x
    recorded = teacher.encoder.transformer(whole, record=(signal,)).signal(signal)
    wanted = torch.stack(recorded[-2:]).mean(0)[hidden(range(5, 15), range(20, 26))]
    torch.testing.assert_close(result["targets"], wanted)


def test_more_target_layers_than_layers_cannot_pretrain() -> None:
    message = rf"`average_top_k_layers` is 8, but the encoder has {LAYERS} layers; expected at most {LAYERS}"
    with pytest.raises(ValueError, match=message):
        tiny_model(average_top_k_layers=8)(batch())
    # fine-tuning has no targets, and the reference takes all layers then
    tiny_model(average_top_k_layers=8).extract_features(batch())
    tiny_model(average_top_k_layers=8, reference_compat=True)(batch())


def test_a_mask_that_hides_nothing_or_has_another_width_is_refused() -> None:
    model = tiny_model()
    with pytest.raises(
        ValueError, match=rf"nothing is masked.* 2 rows of at most {FRAMES} tokens: .*set the masked share"
    ):
        model(batch(), mask_indices=torch.zeros(2, FRAMES, dtype=torch.bool))
    with pytest.raises(
        ValueError, match=rf"`indices` of the mask have shape \(2, {FRAMES + 1}\), expected \(2, {FRAMES}\)"
    ):
        model(batch(), mask_indices=torch.ones(2, FRAMES + 1, dtype=torch.bool))


def test_a_whole_mask_is_what_its_parts_are() -> None:
    model, indices = tiny_model(mask_channel_prob=0.3, mask_channel_length=2), hidden(range(5, 15), range(20, 26))
    channels = torch.arange(DIM).expand(2, -1) < 3
    whole = Mask.given(indices, channels=channels).as_dict()
    in_parts = model(batch(), mask_indices=indices, mask_channel_indices=channels)
    assert torch.equal(model(batch(), mask=whole)["predictions"], in_parts["predictions"])
    features = model.eval().extract_features(batch(), mask=True, mask_indices=indices, mask_channel_indices=channels)
    assert torch.equal(model.extract_features(batch(), mask=whole)["x"], features["x"])


def test_a_mask_that_contradicts_itself_is_refused() -> None:
    model, indices = tiny_model(), hidden(range(5, 15))
    with pytest.raises(ValueError, match="`mask` holds a complete mask, but other arguments hold parts"):
        model(batch(), mask=Mask.given(indices).as_dict(), mask_indices=indices)
    positions = indices.flatten().nonzero().squeeze(1) + 1
    with pytest.raises(ValueError, match=r"`positions` of a mask are .* expected the ascending flat indices"):
        model(batch(), mask_indices=indices, mask_positions=positions)
