"""Where a recipe for speech contradicts the checkpoint: fairseq's own models on checkpoints like the released ones."""

from pathlib import Path
from typing import Any

import pytest
import torch
from fairseq.models.wav2vec.wav2vec2_asr import Wav2Vec2CtcConfig, Wav2Vec2Seq2SeqConfig, Wav2VecEncoder
from omegaconf import OmegaConf
from speech import ROOT

from data2vec_plugin.host.checkpoints import contradictions

RELEASED = ROOT / "tests" / "fixtures" / "parity" / "official_style_audio" / "checkpoint.pt"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Any:
    """Writes the released checkpoint with another word about itself."""

    def write(normalize: bool, name: str = "data2vec_audio") -> Path:
        state = torch.load(RELEASED, map_location="cpu", weights_only=False)
        state["cfg"]["task"]["normalize"], state["cfg"]["model"]["_name"] = normalize, name
        torch.save(state, tmp_path / "checkpoint.pt")
        return tmp_path / "checkpoint.pt"

    return write


def recipe(path: Path, normalise: bool, kind: Any = Wav2Vec2CtcConfig, rate: int = 16_000, **model: Any) -> Any:
    """The model's part of a composed recipe."""
    cfg = OmegaConf.create(
        {
            "task": {"normalize": normalise, "sample_rate": rate, "data": "data", "autoregressive": True},
            "distributed_training": {"ddp_backend": "c10d"},
            "model": OmegaConf.merge(OmegaConf.structured(kind), {"w2v_path": str(path), **model}),
        }
    )
    return cfg.model


@pytest.mark.parametrize("kind", [Wav2Vec2CtcConfig, Wav2Vec2Seq2SeqConfig])
@pytest.mark.parametrize(("trained", "said"), [(True, "true"), (False, "false")])
def test_the_line_to_add_is_named(checkpoint: Any, trained: bool, said: str, kind: Any) -> None:  # B20
    path = checkpoint(trained)
    with pytest.raises(ValueError, match=f"checkpoint {path} was trained with `task.normalize: {said}`") as told:
        Wav2VecEncoder(recipe(path, not trained, kind))
    assert f"add `task.normalize={said}`; to continue" in str(told.value)
    assert str(told.value).endswith(f"add `+model.normalize={said}`")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("trained", [True, False])
def test_agreement_and_the_word_to_go_on_build_the_encoder_with_its_weights(
    checkpoint: Any, trained: bool, caplog: pytest.LogCaptureFixture
) -> None:
    path = checkpoint(trained)
    weights = torch.load(path, weights_only=False)["model"]["encoder.layers.0.fc1.weight"]
    for cfg in (recipe(path, trained), recipe(path, not trained, normalize=trained)):
        encoder = Wav2VecEncoder(cfg)
        assert torch.equal(encoder.w2v_model.state_dict()["encoder.layers.0.fc1.weight"], weights)
    assert not [record for record in caplog.records if record.name == contradictions.__name__]


@pytest.mark.parametrize("name", ["wav2vec2", "hubert"])
def test_checkpoints_of_others_are_fairseqs_to_judge(checkpoint: Any, name: str) -> None:
    with pytest.raises(AssertionError, match="data normalization"):
        Wav2VecEncoder(recipe(checkpoint(True, name), False))


def test_another_sample_rate_is_warned_of(checkpoint: Any, caplog: pytest.LogCaptureFixture) -> None:
    path = checkpoint(True)
    Wav2VecEncoder(recipe(path, True, rate=8_000))
    assert f"`task.sample_rate` is 8000, but checkpoint {path} was trained on 16000 samples per second" in caplog.text
