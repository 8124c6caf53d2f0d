"""Configuration of ``data2vec_text``: exactly upstream's keys and defaults, then this plugin's own.

A default decides what an absent key in a user's YAML or checkpoint means, so none of upstream's is changed.
"""

from dataclasses import dataclass, field
from typing import Any, List, Optional, Tuple

from fairseq.dataclass import FairseqDataclass
from fairseq.models.transformer import TransformerConfig as FairseqTransformerConfig
from omegaconf import II

from ..config_keys import errors_by_key, key
from ..core.config import Data2VecConfig, TransformerConfig
from ..modalities.text import TextConfig
from ._method_keys import TEXT_KEYS, loss_config, target_config, teacher_config


@dataclass
class TextTransformerConfig(FairseqTransformerConfig):
    """fairseq's Transformer, of which the encoder is used, with the key that only fairseq main has."""

    merge_src_tgt_embed: bool = key(False, "accepted; there is one vocabulary")


@dataclass
class Data2VecTextConfig(FairseqDataclass):
    """Keys of upstream's data2vec_text, and five of this plugin's at the end."""

    max_positions: int = II("task.tokens_per_sample")
    head_layers: int = key(1, "linear layers of the prediction head")
    transformer: TextTransformerConfig = field(
        default_factory=lambda: TextTransformerConfig(),
        metadata={"help": "fairseq's Transformer, of which the encoder is used"},
    )
    load_checkpoint_heads: bool = key(False, "register the classification heads that a checkpoint has")
    loss_beta: float = key(0, "beta of the smooth L1 loss; 0 is the squared error")
    loss_scale: Optional[float] = key(None, "factor on the loss; None and values <= 0 are 1/sqrt(embed_dim)")
    average_top_k_layers: int = key(8, "K: how many of the teacher's top layers make the target")
    layer_norm_target_layer: bool = key(False, "layer-normalise every target layer")
    instance_norm_target_layer: bool = key(False, "normalise every channel of every target layer over the row")
    batch_norm_target_layer: bool = key(False, "normalise every channel of every target layer over batch and row")
    instance_norm_targets: bool = key(False, "normalise every channel of the average over the row")
    layer_norm_targets: bool = key(False, "layer-normalise the average")
    ema_decay: float = key(0.999, "the teacher's decay at the start")
    ema_end_decay: float = key(0.9999, "the teacher's decay from ema_anneal_end_step on")
    ema_anneal_end_step: int = II("optimization.max_update")
    ema_transformer_layers_only: bool = key(True, "the teacher copies the embeddings instead of averaging them")

    min_target_var: float = key(0.1, "standard deviation of the targets below which training counts as collapsed")
    min_pred_var: float = key(0.01, "standard deviation of the predictions below which training counts as collapsed")
    target_signal: str = key("ffn", "layer signal used as target: attention, ffn, ffn_residual or block")
    norm_eps: float = key(1e-5, "epsilon of layer norms; 1e-5 in upstream, less in models of other libraries")
    reference_compat: bool = key(
        False, "reproduce upstream's bugs: a teacher that sees masked tokens only, padding in statistics"
    )


def method_config(cfg: Data2VecTextConfig) -> Data2VecConfig:
    """Return the settings of the method; raises ValueError for a value that it does not support."""
    refuse_unsupported(cfg.transformer)
    transformer, encoder = cfg.transformer, cfg.transformer.encoder
    with errors_by_key(TEXT_KEYS):
        return Data2VecConfig(
            transformer=TransformerConfig(
                layers=encoder.layers,
                dim=encoder.embed_dim,
                ffn_dim=encoder.ffn_embed_dim,
                heads=encoder.attention_heads,
                activation=str(transformer.activation_fn),
                norm_first=encoder.normalize_before,
                norm_at="output" if encoder.normalize_before else "none",
                dropout=transformer.dropout,
                attention_dropout=transformer.attention_dropout,
                activation_dropout=transformer.activation_dropout or transformer.relu_dropout,
                layer_drop=encoder.layerdrop,
                norm_eps=cfg.norm_eps,
                checkpoint_activations=transformer.checkpoint_activations,
            ),
            targets=target_config(cfg),
            teacher=teacher_config(cfg, "layers" if cfg.ema_transformer_layers_only else "encoder"),
            loss=loss_config(cfg, at_most_zero=None),
            reference_compat=cfg.reference_compat,
        )


def text_config(cfg: Data2VecTextConfig, dictionary: Any) -> TextConfig:
    """Return the settings of text; raises ValueError for a dictionary without a mask symbol."""
    mask = dictionary.index("<mask>")
    if mask == dictionary.unk():
        raise ValueError("the dictionary has no <mask>; use a masked-LM or sentence-prediction task, which add it")
    transformer = cfg.transformer
    positions = "learned" if transformer.encoder.learned_pos else "sinusoidal"
    return TextConfig(
        vocabulary=len(dictionary),
        pad=dictionary.pad(),
        mask=mask,
        max_positions=transformer.max_source_positions,
        positions="none" if transformer.no_token_positional_embeddings else positions,
        scale_embedding=not transformer.no_scale_embedding,
        norm_embedding=transformer.layernorm_embedding,
        head_layers=cfg.head_layers,
    )


SUPPORTED = {"adaptive_input": False, "offload_activations": False, "base_layers": 0, "char_inputs": False}
SUPPORTED_IN_ENCODER = {"layers_to_keep": None, "embed_path": None, "xformers_att_config": None}


def refuse_unsupported(transformer: Any) -> None:
    """Raise ValueError for values of keys of fairseq's Transformer that no published data2vec uses."""
    checks: List[Tuple[str, Any, Any]] = [
        (f"transformer.{name}", getattr(transformer, name), value) for name, value in SUPPORTED.items()
    ]
    checks += [
        (f"transformer.encoder.{name}", getattr(transformer.encoder, name), value)
        for name, value in SUPPORTED_IN_ENCODER.items()
    ]
    noise = transformer.quant_noise
    checks += [("transformer.quant_noise.pq", noise.pq, 0), ("transformer.quant_noise.scalar", noise.scalar, 0)]
    for name, got, value in checks:
        if got != value:
            raise ValueError(f"`model.{name}` is {got!r}; this model supports {value!r} only")
