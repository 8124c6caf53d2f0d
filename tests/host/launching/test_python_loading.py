"""A checkpoint of ours brings the plugin along where nobody has imported it."""

from __future__ import annotations

from pathlib import Path

import forks
import pytest
import torch
from models.tiny import tiny_model
from models.tiny_text import trainer_state

from data2vec_plugin.host.launching.python_loading import needs_us

LOAD = """
import sys, data2vec_compat
data2vec_compat.install()  # as the .pth line does where we are installed
import fairseq
assert "data2vec_plugin" not in sys.modules
models, cfg, task = fairseq.checkpoint_utils.load_model_ensemble_and_task([sys.argv[1]])
print(type(models[0]).__name__, type(task).__name__)
"""


def config(**common: str) -> dict[str, object]:
    return {
        "common": {"seed": 1, **common},
        "task": {"_name": "audio_pretraining", "data": "gone", "normalize": True},
        "model": {"_name": "wav2vec2"},
    }


@pytest.mark.parametrize(
    ("cfg", "needed"),
    [
        (config(user_dir="data2vec_plugin"), True),
        (config(user_dir="/somewhere/data2vec_plugin"), True),
        ({**config(user_dir="examples/data2vec"), "model": {"_name": "data2vec_audio"}}, True),
        ({**config(), "task": {"_name": "image_classification"}}, True),
        (config(), False),
        (config(user_dir="their_plugin"), False),
        ({}, False),
    ],
)
def test_who_is_needed_is_in_the_configuration(tmp_path: Path, cfg: dict[str, object], needed: bool) -> None:
    torch.save(trainer_state(cfg, {}), tmp_path / "model.pt")
    assert needs_us(str(tmp_path / "model.pt")) is needed


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04"])
def test_what_cannot_be_read_is_for_fairseq_to_complain_of(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.pt").write_bytes(content)
    assert needs_us(str(tmp_path / "model.pt")) is False
    assert needs_us(str(tmp_path / "missing.pt")) is False


KEYS = (
    *("encoder_layers", "encoder_embed_dim", "encoder_ffn_embed_dim", "encoder_attention_heads", "conv_pos"),
    *("conv_pos_groups", "pos_conv_depth", "average_top_k_layers", "ema_anneal_end_step", "max_update"),
    *("extractor_mode", "conv_feature_layers"),
)


def test_fairseqs_own_snippet_loads_a_model_of_ours(tmp_path: Path) -> None:
    """As wav2vec 2.0's README has it, in an interpreter that knows nothing of us."""
    model = tiny_model()
    section = {"_name": "data2vec_audio", **{key: getattr(model.cfg, key) for key in KEYS}}
    cfg = {**config(user_dir="data2vec_plugin"), "model": section}
    torch.save(trainer_state(cfg, model.state_dict()), tmp_path / "model.pt")
    done = forks.python(["-W", "ignore", "-c", LOAD, str(tmp_path / "model.pt")], imported="torch", timeout=120)
    assert done.stdout.split()[-2:] == ["Data2VecAudioModel", "AudioPretrainingTask"], done.stderr
