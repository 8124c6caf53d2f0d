"""fairseq's `wav2vec_ctc` on data2vec 2.0: upstream's keys reach the encoder, or are refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from fairseq.data import Dictionary
from fairseq.dataclass.utils import merge_with_parent
from fairseq.models import MODEL_DATACLASS_REGISTRY
from fairseq.models.wav2vec.wav2vec2_asr import Wav2VecCtc
from omegaconf import OmegaConf
from parity.cases import HERE

from data2vec_plugin.core.masks.mask import Mask
from data2vec_plugin.data.sample_seeds import SampleSeeds
from data2vec_plugin.host.training.optimizer import rules_of
from data2vec_plugin.tasks.speech import loader_masks, speech_models

SPEECH = HERE / "official_style_v2_audio" / "checkpoint.pt"


def recogniser(path: Path = SPEECH, normalize: bool = True, **keys: Any) -> Any:
    """A model as `fairseq-hydra-train` builds it; keys that it has not are an error."""
    root = OmegaConf.create({"task": {"normalize": normalize, "data": "/data"}, "model": {}})
    root.distributed_training = {"ddp_backend": "legacy_ddp"}
    root.model = {"_name": "wav2vec_ctc", "w2v_path": str(path), "apply_mask": True, **keys}
    cfg = merge_with_parent(MODEL_DATACLASS_REGISTRY["wav2vec_ctc"](), root.model)
    task = SimpleNamespace(target_dictionary=Dictionary(), blank_symbol="<s>")
    return Wav2VecCtc.build_model(cfg, task)


def encoder(model: Any) -> Any:
    return model.w2v_encoder.w2v_model


def test_keys_of_recognition_are_the_encoders() -> None:
    model = recogniser(
        dropout=0.2, activation_dropout=0.3, layerdrop=0.4, feature_grad_mult=0.0, mask_prob=0.6, mask_length=3,
        mask_channel_prob=0.1, mask_channel_length=4, mask_dropout=0.5, update_alibi=False, zero_mask=True,
        drop_path=0.1, checkpoint_activations=True,
    )  # fmt: skip
    own = encoder(model)
    layers = own.encoder.transformer.config
    assert (layers.dropout, layers.activation_dropout, layers.layer_drop) == (0.2, 0.3, 0.4)
    assert layers.ffn_dropout == pytest.approx(1 - 0.7 * 0.8)
    assert (layers.drop_path, layers.checkpoint_activations) == (0.1, True)
    prenet = own.encoder.prenet.config
    assert (prenet.input_dropout, prenet.layer_drop) == (0.2, 0.4)
    assert own.encoder.embedder.audio.grad_mult == 0
    mask = own.method.masks.masker.config
    assert (mask.prob, mask.length, mask.dropout) == (0.6, 3, 0.5)
    assert own.method.masks.channels.config.prob == 0.1
    assert own.encoder.view.noise is None
    assert not own.encoder.positions.alibi.alibi_scale.requires_grad
    assert encoder(recogniser()).encoder.view.noise == 0.01
    assert encoder(recogniser()).encoder.positions.alibi.alibi_scale.requires_grad


def test_weights_are_the_checkpoints_or_their_average() -> None:
    state = torch.load(SPEECH, weights_only=False)["model"]
    for average, wanted in ((False, state), (True, state["_ema"])):
        found = encoder(recogniser(load_ema=average)).state_dict()
        name = "blocks.0.mlp.fc1.weight"
        assert torch.equal(found[name], wanted[name if name in wanted else name[len("blocks.") :]].float())
    assert not [name for name in found if "decoder" in name or "_ema" in name]


def test_masked_frames_stay_and_a_batch_brings_its_mask() -> None:
    model = recogniser().train()
    (own,) = speech_models(model)
    source = torch.randn(2, 3000)
    frames = own.eval().extract_features(source)["x"].size(1)
    masks = loader_masks(own).draw([3000, 3000], SampleSeeds(1), 1, [1, 2])
    assert masks.visible is None
    assert masks.indices.shape == (2, frames)
    seen = []
    own.train().encoder.view.register_forward_hook(lambda module, args, tokens: seen.append(args[1]))
    padding = torch.zeros(2, 3000, dtype=torch.bool)
    output = model(source=source, padding_mask=padding, mask=masks.as_dict())
    assert output["encoder_out"].shape[:2] == (frames, 2)
    assert torch.equal(seen[0].indices, masks.indices)
    drawn: Mask = own.method.masks.drawn(own.encoder.embed(source))
    assert (drawn.visible, len(drawn.indices)) == (None, 2)


def test_a_saved_model_needs_no_checkpoint_of_pre_training() -> None:
    model = recogniser().eval()
    args = OmegaConf.to_container(model.cfg.w2v_args)
    again = recogniser(Path("gone.pt"), w2v_args=args).eval()
    state = model.state_dict()
    again.upgrade_state_dict(state)
    again.load_state_dict(state, strict=True)
    source, padding = torch.randn(1, 3000), torch.zeros(1, 3000, dtype=torch.bool)
    found = [each(source=source, padding_mask=padding)["encoder_out"] for each in (model, again)]
    assert torch.equal(*found)


def test_layers_learn_slower_the_lower_they_are() -> None:
    rules = rules_of(recogniser(layer_decay=0.5))
    depth = [
        len(part.layers) for part in (encoder(recogniser()).encoder.prenet, encoder(recogniser()).encoder.transformer)
    ]
    scales = {rule.lr_scale for rule in rules.values()}
    assert scales == {0.5**power for power in range(1, sum(depth) + 1)}
    assert rules_of(recogniser()) == {}


def test_what_fits_a_pattern_is_not_trained() -> None:
    model = recogniser(freeze_regex=r"w2v_model\.blocks\.0\..*")
    frozen = {name for name, parameter in model.w2v_encoder.named_parameters() if not parameter.requires_grad}
    assert frozen
    assert all(".transformer.layers.0." in name for name in frozen)
    with pytest.raises(ValueError, match=r"`model\.freeze_regex` is 'nothing', which matches no parameter"):
        recogniser(freeze_regex="nothing")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"normalize": False}, r"`task\.normalize` is false, but .*checkpoint\.pt is of model `data2vec_multi`"),
        ({"mask_other": 2.0}, r"`model\.mask_other` is 2\.0, but an encoder of `data2vec_multi` supports only 0"),
        ({"layer_decay": 1.5}, r"layer_decay"),
    ],
)
def test_what_it_cannot_do_is_told(keys: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        recogniser(**keys)


def test_an_encoder_of_images_is_told() -> None:
    with pytest.raises(ValueError, match=r"\(data2vec 2\.0 for image\); recognition starts from speech"):
        recogniser(HERE / "official_style_v2_image" / "checkpoint.pt")
