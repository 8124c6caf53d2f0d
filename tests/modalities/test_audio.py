"""The speech front end as a whole: gradient scale, short clips, what the teacher copies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict

import pytest
import torch
from torch import Tensor

from data2vec_plugin.core.config import Data2VecConfig, SpanMaskConfig, TargetConfig, TeacherConfig, TransformerConfig
from data2vec_plugin.core.masks.mask import Mask
from data2vec_plugin.modalities.audio import AudioConfig, audio_data2vec

TRANSFORMER = TransformerConfig(layers=2, dim=8, ffn_dim=12, heads=2, dropout=0.0, attention_dropout=0.0)
METHOD = Data2VecConfig(TRANSFORMER, TargetConfig(top_k=2), mask=SpanMaskConfig(0.5, 3, min_masks=1))
AUDIO = AudioConfig([(4, 10, 5), (4, 3, 2)], "layer_norm", position_width=9, position_groups=2, position_depth=3)


def model(audio: AudioConfig = AUDIO, method: Data2VecConfig = METHOD) -> Any:
    torch.manual_seed(0)
    return audio_data2vec(method, audio)


def gradients(scale: float) -> Dict[str, Tensor]:
    made = model(replace(AUDIO, grad_mult=scale))
    torch.manual_seed(1)
    source = torch.randn(2, 205)
    indices = torch.zeros(2, made.encoder.embed(source, None).x.size(1), dtype=torch.bool)
    indices[:, 2:6] = True
    made(source, mask=Mask.given(indices)).loss.backward()
    return {name: p.grad for name, p in made.named_parameters() if p.grad is not None}


def test_gradient_into_the_extractor_is_scaled() -> None:
    whole, tenth = gradients(1.0), gradients(0.1)
    for name, gradient in whole.items():
        factor = 0.1 if name.startswith("encoder.embedder.feature_extractor") else 1.0
        torch.testing.assert_close(tenth[name], gradient * factor, rtol=1e-4, atol=1e-7)


def test_scale_zero_freezes_the_extractor_alone() -> None:
    frozen = gradients(0.0)
    assert not [name for name in frozen if name.startswith("encoder.embedder.feature_extractor")]
    torch.testing.assert_close(
        frozen["encoder.embedder.layer_norm.weight"], gradients(1.0)["encoder.embedder.layer_norm.weight"]
    )


def test_clip_shorter_than_one_frame_is_refused() -> None:
    made = model()
    assert made.encoder.embed(torch.randn(1, 20), None).x.size(1) == 1
    with pytest.raises(ValueError, match=r"`source` has 19 samples, but one frame .* needs 20"):
        made.encoder.embed(torch.randn(1, 19), None)


def test_padded_clip_shorter_than_one_frame_harms_nothing() -> None:
    made = model()
    padding_mask = torch.zeros(2, 205, dtype=torch.bool)
    padding_mask[1, 5:] = True
    frames = made.encoder.embed(torch.randn(2, 205), padding_mask).padding_mask
    assert frames is not None
    assert (~frames).sum(1).tolist()[1] == 1  # something to attend to: attention over nothing is NaN in torch < 2.5
    output = made(torch.randn(2, 205), padding_mask)
    output.loss.backward()
    assert output.sample_size > 0
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in made.parameters())
    assert not output.mask.indices[1].any()


def test_padding_reaches_frames_by_the_length_of_the_convolutions() -> None:
    made = model()
    padding_mask = torch.arange(205) >= torch.tensor([[205], [100]])
    frames = made.encoder.embed(torch.randn(2, 205), padding_mask).padding_mask
    assert frames is not None
    assert (~frames).sum(1).tolist() == [made.encoder.embed(torch.randn(1, n), None).x.size(1) for n in (205, 100)]


@pytest.mark.parametrize(("scope", "copied"), [("layers", True), ("encoder", False), ("model", False)])
def test_position_convolutions_are_copied_in_scope_layers_only(scope: str, copied: bool) -> None:
    made = model(method=replace(METHOD, teacher=TeacherConfig(scope, 0.5, 0.5)))
    made.follow(0)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += 1
    made.follow(1)
    assert made.teacher is not None
    students = dict(made.named_parameters())
    followed = {name: torch.equal(master, students[name].data) for name, master in made.teacher.fp32.items()}
    assert {name for name, same in followed.items() if same} == {
        name for name in followed if copied and name.startswith("encoder.positions.")
    }
    assert ("predictor.weight" in followed) == (scope == "model")
