"""What torch refuses, or does wrong; reading checkpoints has tests of its own (`test_checkpoints.py`)."""

import math
from types import ModuleType, SimpleNamespace

import pytest
import torch

from data2vec_compat.patches.torch import leave_onednn_out, plain_version, turn_bytes_into_booleans

ATTENTION = "fairseq.modules.multihead_attention"
HIDDEN = torch.tensor([1, 0, 1], dtype=torch.uint8)


@pytest.mark.parametrize(("version", "left_out"), [("2.1.2+cu121", True), ("2.8.0", False), ("2.11.0", False)])
def test_only_what_is_affected_does_without(version: str, left_out: bool) -> None:
    mkldnn = SimpleNamespace(enabled=True)
    module = SimpleNamespace(torch=SimpleNamespace(__version__=version, backends=SimpleNamespace(mkldnn=mkldnn)))
    assert leave_onednn_out(module) is left_out  # type: ignore[arg-type]
    assert mkldnn.enabled is not left_out


def test_the_trainer_has_it() -> None:
    pytest.importorskip("fairseq.trainer")
    assert torch.backends.mkldnn.enabled is not torch.__version__.startswith("2.1.")


def test_encoder_evaluates_after_loading() -> None:
    """torch ≥ 2 raised `Mask Type should be defined` in the fused path."""
    from fairseq.models.transformer.transformer_config import EncDecBaseConfig, TransformerConfig
    from fairseq.modules.transformer_layer import TransformerEncoderLayerBase

    # the encoder that TransformerConfig() comes with is one object for the whole process
    config = TransformerConfig(encoder=EncDecBaseConfig(embed_dim=8, ffn_embed_dim=8, attention_heads=2))
    layer, other = TransformerEncoderLayerBase(config), TransformerEncoderLayerBase(config)
    layer.load_state_dict(other.state_dict())
    padding = torch.tensor([[False, False, True]])
    with torch.no_grad():
        out = layer.eval()(torch.randn(3, 1, 8), padding)
    assert torch.isfinite(out[:2]).all()


@pytest.mark.parametrize(
    ("version", "shown"),
    [("2.1.0a0+29c30b1", "2.1.0"), ("2.6", "2.6.0"), ("2.11.0+cpu", None), ("2.11.0", None)],
)
def test_torch_version_with_letters(version: str, shown: str) -> None:
    module = SimpleNamespace(torch=ModuleType("torch"))
    module.torch.__version__ = version
    assert plain_version(module) is (shown is not None)
    assert module.torch.__version__ == (shown or version)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_bytes_become_an_additive_mask(dtype: torch.dtype) -> None:
    mask_for_xformers = pytest.importorskip(ATTENTION)._mask_for_xformers
    mask = mask_for_xformers(HIDDEN, to_dtype=dtype)
    assert mask.dtype == dtype
    assert mask.tolist() == [-math.inf, 0, -math.inf]


@pytest.mark.parametrize(("dtype", "expected"), [(None, torch.uint8), (torch.uint8, torch.uint8), (torch.bool,) * 2])
def test_bytes_become_what_is_kept(dtype: torch.dtype, expected: torch.dtype) -> None:
    mask_for_xformers = pytest.importorskip(ATTENTION)._mask_for_xformers
    mask = mask_for_xformers(HIDDEN, to_dtype=dtype)
    assert mask.dtype == expected
    assert mask.tolist() == [0, 1, 0]


def test_other_masks_go_fairseqs_way() -> None:
    mask_for_xformers = pytest.importorskip(ATTENTION)._mask_for_xformers
    assert mask_for_xformers(HIDDEN.bool(), to_dtype=torch.float32).tolist() == [-math.inf, 0, -math.inf]
    additive = torch.tensor([0, -math.inf])
    assert mask_for_xformers(additive) is additive


def test_a_fairseq_without_the_function_stays_as_it_is() -> None:
    assert turn_bytes_into_booleans(SimpleNamespace(torch=torch)) is False
