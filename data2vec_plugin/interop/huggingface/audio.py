"""Hugging Face's Data2VecAudio: names of weights and keys of the configuration, both ways.

It is the published architecture only: layer norm after every convolution of the extractor, stacked position
convolutions, a post-norm Transformer.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Sequence, Tuple

from torch import Tensor

from ...modalities.conv_spec import parse_conv_layers
from .rules import Rule, below, renamed, reverse, weight_and_bias

MODEL_TYPE = "data2vec-audio"
ARCHITECTURES = {"base": "Data2VecAudioModel", "ctc": "Data2VecAudioForCTC"}
OTHER_HEADS: Sequence[str] = ()
PRETRAINING = ("final_proj.weight", "final_proj.bias")
"""The prediction head, which Hugging Face's models do not have."""

ENCODER: List[Rule] = [
    ("mask_emb", "masked_spec_embed"),
    *weight_and_bias(
        ("feature_extractor.conv_layers.{}.0", "feature_extractor.conv_layers.{}.conv"),
        ("feature_extractor.conv_layers.{}.2.1", "feature_extractor.conv_layers.{}.layer_norm"),
        ("layer_norm", "feature_projection.layer_norm"),
        ("post_extract_proj", "feature_projection.projection"),
        ("encoder.pos_conv.{}.0", "encoder.pos_conv_embed.layers.{}.conv"),
        ("encoder.layer_norm", "encoder.layer_norm"),
        ("encoder.layers.{}.self_attn.q_proj", "encoder.layers.{}.attention.q_proj"),
        ("encoder.layers.{}.self_attn.k_proj", "encoder.layers.{}.attention.k_proj"),
        ("encoder.layers.{}.self_attn.v_proj", "encoder.layers.{}.attention.v_proj"),
        ("encoder.layers.{}.self_attn.out_proj", "encoder.layers.{}.attention.out_proj"),
        ("encoder.layers.{}.self_attn_layer_norm", "encoder.layers.{}.layer_norm"),
        ("encoder.layers.{}.fc1", "encoder.layers.{}.feed_forward.intermediate_dense"),
        ("encoder.layers.{}.fc2", "encoder.layers.{}.feed_forward.output_dense"),
        ("encoder.layers.{}.final_layer_norm", "encoder.layers.{}.final_layer_norm"),
    ),
]
RULES: Dict[str, List[Rule]] = {
    "base": ENCODER,
    "ctc": [*below("data2vec_audio.", ENCODER), *weight_and_bias(("head", "lm_head"))],
}

SAME_VALUE: Tuple[Rule, ...] = (
    ("encoder_layers", "num_hidden_layers"),
    ("encoder_embed_dim", "hidden_size"),
    ("encoder_ffn_embed_dim", "intermediate_size"),
    ("encoder_attention_heads", "num_attention_heads"),
    ("dropout", "hidden_dropout"),
    ("attention_dropout", "attention_dropout"),
    ("activation_dropout", "activation_dropout"),
    ("dropout_input", "feat_proj_dropout"),
    ("encoder_layerdrop", "layerdrop"),
    ("conv_bias", "conv_bias"),
    ("conv_pos_groups", "num_conv_pos_embedding_groups"),
    ("pos_conv_depth", "num_conv_pos_embeddings"),
)
"""Our keys and theirs with the same meaning."""
ACTIVATIONS = {"gelu": "gelu", "relu": "relu", "tanh": "tanh", "linear": "linear"}
OURS: Dict[str, Any] = {"extractor_mode": "layer_norm", "layer_norm_first": False, "layer_type": "transformer"}
THEIRS: Dict[str, Any] = {"feat_extract_activation": "gelu", "layer_norm_eps": 1e-5, "add_adapter": False}
"""Keys of both sides for which the other side supports one value only."""
DEFAULTS: Dict[str, Any] = {
    "num_hidden_layers": 12,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_attention_heads": 12,
    "hidden_act": "gelu",
    "hidden_dropout": 0.1,
    "attention_dropout": 0.1,
    "activation_dropout": 0.1,
    "feat_proj_dropout": 0.0,
    "layerdrop": 0.1,
    "conv_dim": [512] * 7,
    "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
    "conv_stride": [5, 2, 2, 2, 2, 2, 2],
    "conv_bias": False,
    "num_conv_pos_embedding_groups": 16,
    "num_conv_pos_embeddings": 5,
    "conv_pos_kernel_size": 19,
    **THEIRS,
}
"""The values of absent Hugging Face keys."""


def weights_to_hf(state: Mapping[str, Tensor], kind: str) -> Dict[str, Tensor]:
    """Rename our weights, the head's below ``head.``, to theirs; the prediction head of pre-training is dropped."""
    return renamed(state, RULES[kind], PRETRAINING)


def weights_from_hf(state: Mapping[str, Tensor], kind: str) -> Dict[str, Tensor]:
    """The reverse of :func:`weights_to_hf`."""
    return renamed(state, reverse(RULES[kind]))


def config_to_hf(model: Mapping[str, Any], kind: str) -> Dict[str, Any]:
    """Convert a complete configuration of ``data2vec_audio`` to theirs; raises ValueError if they cannot express it."""
    _check_values(model, OURS)
    depth = model["pos_conv_depth"]
    if depth < 2:
        raise ValueError(
            f"`pos_conv_depth` is {depth}: {ARCHITECTURES[kind]} supports only stacked position convolutions, not "
            "wav2vec 2.0's weight-normalised one"
        )
    convolutions = parse_conv_layers(str(model["conv_feature_layers"]))
    channels, kernels, strides = (list(values) for values in zip(*convolutions))
    return {
        **{theirs: model[ours] for ours, theirs in SAME_VALUE},
        **THEIRS,
        "hidden_act": _looked_up("activation_fn", model["activation_fn"], ACTIVATIONS),
        "conv_dim": channels,
        "conv_kernel": kernels,
        "conv_stride": strides,
        "num_feat_extract_layers": len(channels),
        "conv_pos_kernel_size": max(3, model["conv_pos"] // depth),
    }


def config_from_hf(hf: Mapping[str, Any], kind: str) -> Dict[str, Any]:
    """Convert their configuration, where keys may be absent, to ours; raises ValueError if ours cannot express it."""
    hf = {**DEFAULTS, **hf}
    _check_values(hf, THEIRS)
    depth, kernel = hf["num_conv_pos_embeddings"], hf["conv_pos_kernel_size"]
    if depth < 2 or kernel < 3:
        raise ValueError(
            f"`num_conv_pos_embeddings` is {depth} and `conv_pos_kernel_size` {kernel}; data2vec_audio stacks at "
            f"least 2 convolutions of at least 3 frames"
        )
    by_value = {theirs: ours for ours, theirs in ACTIVATIONS.items()}
    return {
        "_name": "data2vec_audio",
        **{ours: hf[theirs] for ours, theirs in SAME_VALUE},
        **OURS,
        "activation_fn": _looked_up("hidden_act", hf["hidden_act"], by_value),
        "conv_feature_layers": str(list(zip(hf["conv_dim"], hf["conv_kernel"], hf["conv_stride"]))),
        "conv_pos": kernel * depth,
        "average_top_k_layers": min(8, hf["num_hidden_layers"]),
        "ema_anneal_end_step": 1,  # both follow the run in which the model is trained
        "max_update": 1,
    }


def _check_values(config: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    for key, value in expected.items():
        if config[key] != value:
            raise ValueError(
                f"`{key}` is {config[key]!r}, for which the other side has no key; only {value!r} can be converted"
            )


def _looked_up(key: str, value: Any, table: Mapping[str, str]) -> str:
    if str(value) not in table:
        raise ValueError(f"`{key}` is {value!r}, which cannot be converted; expected one of {', '.join(table)}")
    return table[str(value)]
