"""``data2vec_text`` as Hugging Face's ``Data2VecText``: names, weights and configuration, in both directions.

Both are post-norm Transformers over learned positions that begin after the padding symbol. Hugging Face's also embeds
the type of a token, 0 by default; `data2vec_text` has no token types.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Sequence

import torch
from torch import Tensor

from .keys import but_for, refuse_beyond, sections, value_at
from .rules import Rule, below, renamed, reverse, weight_and_bias

MODEL_TYPE = "data2vec-text"
PREFIX = "data2vec_text."
ARCHITECTURES = {"base": "Data2VecTextModel", "classification": "Data2VecTextForSequenceClassification"}
OTHER_HEADS: Sequence[str] = ("Data2VecTextForMaskedLM",)

PAD, SPECIAL = 1, {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}
"""Ids of special symbols in every fairseq dictionary."""
TOP_K = 8
"""Default number of layers averaged for a target; at most the number of layers."""

WORDS, POSITIONS = "embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight"
TYPES = "embeddings.token_type_embeddings.weight"

ENCODER: List[Rule] = [
    ("encoder.embed_tokens.weight", WORDS),
    ("encoder.embed_positions.weight", POSITIONS),
    *weight_and_bias(
        ("encoder.layernorm_embedding", "embeddings.LayerNorm"),
        ("encoder.layers.{}.self_attn.q_proj", "encoder.layer.{}.attention.self.query"),
        ("encoder.layers.{}.self_attn.k_proj", "encoder.layer.{}.attention.self.key"),
        ("encoder.layers.{}.self_attn.v_proj", "encoder.layer.{}.attention.self.value"),
        ("encoder.layers.{}.self_attn.out_proj", "encoder.layer.{}.attention.output.dense"),
        ("encoder.layers.{}.self_attn_layer_norm", "encoder.layer.{}.attention.output.LayerNorm"),
        ("encoder.layers.{}.fc1", "encoder.layer.{}.intermediate.dense"),
        ("encoder.layers.{}.fc2", "encoder.layer.{}.output.dense"),
        ("encoder.layers.{}.final_layer_norm", "encoder.layer.{}.output.LayerNorm"),
    ),
]
HEAD: List[Rule] = weight_and_bias(
    ("head.dense", "classifier.dense"),
    ("head.out_proj", "classifier.out_proj"),
)
RULES: Dict[str, List[Rule]] = {"base": ENCODER, "classification": [*below(PREFIX, ENCODER), *HEAD]}

NOT_THEIRS = ("final_proj.{}.weight", "final_proj.{}.bias")
"""The head of pre-training, which regresses the teacher."""

NOT_OURS = (
    "embeddings.position_ids",
    "embeddings.token_type_ids",
    "pooler.dense.weight",
    "pooler.dense.bias",
    "lm_head.bias",
    "lm_head.dense.weight",
    "lm_head.dense.bias",
    "lm_head.layer_norm.weight",
    "lm_head.layer_norm.bias",
    "lm_head.decoder.weight",
    "lm_head.decoder.bias",
)
"""Ids that older versions saved, a pooler and a language model's head, none of which data2vec trains."""

ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_accurate": "gelu_new",
    "gelu_fast": "gelu_new",
    "relu": "relu",
    "tanh": "tanh",
}
THEIR_ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_new": "gelu_accurate",
    "gelu_pytorch_tanh": "gelu_accurate",
    "gelu_fast": "gelu_accurate",
    "relu": "relu",
    "tanh": "tanh",
}

SAME_VALUE: Sequence[Rule] = (
    ("transformer.encoder.embed_dim", "hidden_size"),
    ("transformer.encoder.layers", "num_hidden_layers"),
    ("transformer.encoder.attention_heads", "num_attention_heads"),
    ("transformer.encoder.ffn_embed_dim", "intermediate_size"),
    ("transformer.dropout", "hidden_dropout_prob"),
    ("transformer.attention_dropout", "attention_probs_dropout_prob"),
    ("norm_eps", "layer_norm_eps"),
)
"""Our keys and theirs with the same meaning."""
OURS: Dict[str, Any] = {
    "transformer.no_scale_embedding": True,
    "transformer.layernorm_embedding": True,
    "transformer.no_token_positional_embeddings": False,
    "transformer.encoder.learned_pos": True,
    "transformer.encoder.normalize_before": False,
}
THEIRS: Dict[str, Any] = {
    **SPECIAL,
    "position_embedding_type": "absolute",
    "is_decoder": False,
}
"""Keys of both sides for which the other side supports one value only."""
OUR_DEFAULTS: Dict[str, Any] = {"norm_eps": 1e-5}
"""The values of absent keys that upstream does not have."""
DEFAULTS: Dict[str, Any] = {
    **THEIRS,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 512,
}
"""The values of absent Hugging Face keys."""


def weights_to_hf(state: Mapping[str, Tensor], kind: str) -> Dict[str, Tensor]:
    """Rename our weights, the head's below ``head.``, to theirs; the embedding of the only token type is zero."""
    weights = renamed(state, RULES[kind], dropped=NOT_THEIRS)
    prefix = PREFIX if kind != "base" else ""
    words = weights[prefix + WORDS]
    weights[prefix + TYPES] = words.new_zeros(1, words.size(1))
    return weights


def weights_from_hf(state: Mapping[str, Tensor], kind: str) -> Dict[str, Tensor]:
    """Rename their weights to ours; the head of a language model is dropped.

    Raises ValueError if token types have different embeddings.
    """
    weights = {name[len(PREFIX) :] if name.startswith(PREFIX) else name: value for name, value in state.items()}
    types = weights.pop(TYPES, None)
    if types is not None:
        _fold_types(weights, types)
    return renamed(weights, reverse([*ENCODER, *(HEAD if kind != "base" else [])]), dropped=NOT_OURS)


def _fold_types(weights: Dict[str, Tensor], types: Tensor) -> None:
    """Add the embedding of type 0, which every token gets, to those of all positions but padding."""
    if not torch.equal(types, types[:1].expand_as(types)):
        raise ValueError(
            f"`{TYPES}` has {len(types)} token types, which `data2vec_text` does not support; if your tokenizer "
            "assigns type 0 to all tokens, keep only the first row and set `type_vocab_size` to 1"
        )
    if POSITIONS in weights and types[0].any():
        folded = weights[POSITIONS] + types[0]
        folded[PAD] = weights[POSITIONS][PAD]
        weights[POSITIONS] = folded


def config_to_hf(model: Mapping[str, Any], kind: str) -> Dict[str, Any]:
    """Convert a complete configuration of ``data2vec_text`` to theirs; raises ValueError if they cannot express it."""
    refuse_beyond(OURS, model, "Hugging Face's Data2VecText", "model.")
    transformer = model["transformer"]
    return {
        **{theirs: value_at(model, ours) for ours, theirs in SAME_VALUE},
        "hidden_act": ACTIVATIONS[_known(transformer, "activation_fn", ACTIVATIONS)],
        "max_position_embeddings": transformer["max_source_positions"] + PAD + 1,
        "type_vocab_size": 1,
        **SPECIAL,
    }


def config_from_hf(hf: Mapping[str, Any], kind: str) -> Dict[str, Any]:
    """Convert their configuration, where keys may be absent, to ours; raises ValueError if ours cannot express it."""
    hf = {**DEFAULTS, **hf}
    refuse_beyond(THEIRS, hf, "`data2vec_text`")
    tokens = hf["max_position_embeddings"] - PAD - 1
    values = {
        **{ours: hf[theirs] for ours, theirs in SAME_VALUE},
        **OURS,
        "_name": "data2vec_text",
        "transformer.activation_fn": THEIR_ACTIVATIONS[_known(hf, "hidden_act", THEIR_ACTIVATIONS)],
        "transformer.max_source_positions": tokens,
        "max_positions": tokens,
        "average_top_k_layers": min(TOP_K, hf["num_hidden_layers"]),
        "ema_anneal_end_step": 1,  # follows the run in which the model is trained
    }
    return sections(but_for(OUR_DEFAULTS, values))


def _known(config: Mapping[str, Any], key: str, table: Mapping[str, str]) -> str:
    """Return the value of ``key``; raises ValueError if it is not in the ``table``."""
    value = str(config[key])
    if value not in table:
        raise ValueError(f"`{key}` is {value!r}; expected one of {', '.join(table)}")
    return value
