"""fairseq's `wav2vec_ctc` and `wav2vec_seq2seq` on data2vec 2.0, which its release does not support.

``Wav2VecEncoder`` reads keys of an encoder that `data2vec_multi` lacks, and builds a pre-training task. So it is built
here from upstream's keys, with the attributes that its own methods use.
"""

from __future__ import annotations

import logging
import re
from typing import Any, Dict, List, Mapping, Optional

from fairseq.models import FairseqEncoder
from omegaconf import OmegaConf, open_dict
from torch import nn

from ...checkpoints.encoder_checkpoint import untrained
from ...checkpoints.saved_file import read_checkpoint, read_mapped
from ...core.update_rules import check_layer_decay
from ...interop.fairseq.multi_v2 import as_student
from ...interop.identify import MULTI, identify, sections

logger = logging.getLogger(__name__)

SPEECH = "speech"
OF_DROPOUT = ("encoder_dropout", "post_mlp_drop", "prenet_dropout")
SAME_NAME = (
    *("activation_dropout", "dropout_input", "attention_dropout", "mask_prob", "mask_length", "mask_dropout"),
    *("mask_channel_prob", "mask_channel_length", "layerdrop"),
)
"""Keys of recognition that the encoder has under the same name."""
UNKNOWN = {
    **{f"{kind}_selection": "static" for kind in ("mask", "mask_channel")},
    **{f"{kind}_other": 0 for kind in ("mask", "mask_channel")},
    **dict.fromkeys(("no_mask_overlap", "no_mask_channel_overlap", "mask_channel_before"), False),
}
"""Keys of recognition that this encoder lacks, with the only value that it supports."""


def is_on_multi(cfg: Any) -> bool:
    """Whether recognition starts from data2vec 2.0, or was trained on it."""
    if cfg.w2v_args is None:
        try:
            return identify(read_mapped(cfg.w2v_path)).model == MULTI
        except (ValueError, OSError):  # fairseq reads it next and reports errors
            return False
    inside = cfg.w2v_args
    return OmegaConf.is_config(inside) and "model" in inside and inside.model.get("_name") == MULTI


def build_on_multi(encoder: Any, cfg: Any, output_size: Any = None) -> None:
    """``Wav2VecEncoder.__init__`` on data2vec 2.0; raises ValueError for settings that it does not support."""
    if not cfg.normalize:
        raise ValueError(
            f"`task.normalize` is false, but {cfg.w2v_path or 'the encoder'} is of model `{MULTI}`, which requires "
            "normalised clips: add `task.normalize=true`"
        )
    weights: Optional[Dict[str, Any]] = None
    if cfg.w2v_args is None:
        state = read_checkpoint(cfg.w2v_path)
        found = identify(state)
        if SPEECH not in found.modalities:
            raise ValueError(f"`model.w2v_path` is {cfg.w2v_path}: {found.message('recognition starts from speech')}")
        cfg.w2v_args = recognisers_args(cfg, state)
        weights = None if cfg.no_pretrained_weights else dict(state["model"])
    with open_dict(cfg.w2v_args):
        keep_data(cfg.w2v_args, cfg.data)
    model = untrained(plain(cfg.w2v_args), modalities=(SPEECH,))
    model.remove_pretraining_modules(modality="audio")
    if weights is not None:
        load(model, weights, getattr(cfg, "load_ema", False), str(cfg.w2v_path))
    FairseqEncoder.__init__(encoder, None)
    encoder.is_d2v_multi = True
    encoder.apply_mask = cfg.apply_mask
    encoder.w2v_model = model
    encoder.final_dropout = nn.Dropout(cfg.final_dropout)
    encoder.freeze_finetune_updates, encoder.num_updates = cfg.freeze_finetune_updates, 0
    dim = model.config.transformer.dim
    wanted = output_size if output_size is not None else getattr(cfg, "decoder_embed_dim", dim)
    encoder.proj = None if output_size is None and wanted == dim else projection(dim, wanted)
    model.layer_decay = float(getattr(cfg, "layer_decay", 1) or 1)
    check_layer_decay(model.layer_decay)
    freeze(encoder, getattr(cfg, "freeze_regex", None))


def recognisers_args(cfg: Any, state: Mapping[str, Any]) -> Any:
    """Return the configuration of a pre-trained checkpoint with the values of recognition's keys."""
    model, task = (plain(section) for section in sections(state))
    settings = encoder_settings(cfg)
    model["supported_modality"] = "AUDIO"
    audio = model.setdefault("modalities", {}).setdefault("audio", {})
    for key, value in settings.items():
        section = audio if key in AUDIO else model
        section[key] = value
    if getattr(cfg, "drop_path", 0):
        audio["start_drop_path_rate"] = audio["end_drop_path_rate"] = cfg.drop_path
        model["start_drop_path_rate"] = model["end_drop_path_rate"] = cfg.drop_path
    return OmegaConf.create({"model": model, "task": task})


AUDIO = (
    *("prenet_dropout", "prenet_layerdrop", "local_grad_mult", "encoder_zero_mask", "inverse_mask"),
    *("learned_alibi_scale", "mask_prob", "mask_length", "mask_dropout", "mask_channel_prob", "mask_channel_length"),
)
"""Keys that are in the speech section of the encoder's configuration."""


def encoder_settings(cfg: Any) -> Dict[str, Any]:
    """Return the encoder's settings from recognition's keys; raises ValueError for values that it does not support."""
    for key, only in UNKNOWN.items():
        value = getattr(cfg, key, only)
        value = getattr(value, "value", value)
        if value != only:
            raise ValueError(
                f"`model.{key}` is {value}, but an encoder of `{MULTI}` supports only {only}; remove this key"
            )
    found: Dict[str, Any] = {key: getattr(cfg, key) for key in SAME_NAME if getattr(cfg, key, None) is not None}
    found.update(dict.fromkeys(OF_DROPOUT, cfg.dropout))
    found["prenet_layerdrop"] = cfg.layerdrop
    found["local_grad_mult"] = cfg.feature_grad_mult
    found["encoder_zero_mask"] = bool(getattr(cfg, "zero_mask", False))
    found["inverse_mask"] = False
    found["learned_alibi_scale"] = bool(getattr(cfg, "update_alibi", True))
    found["checkpoint_activations"] = bool(getattr(cfg, "checkpoint_activations", False))
    return found


def keep_data(args: Any, data: Any) -> None:
    """Set the data folder of the encoder's own task."""
    section = args.task.audio if "audio" in args.task and OmegaConf.is_config(args.task.audio) else args.task
    section.data = data


def load(model: Any, weights: Dict[str, Any], average: bool, path: str) -> None:
    """Load the pre-trained weights, or their ``average``; strictly, except for parts that fine-tuning does not have.

    Raises ValueError if the checkpoint holds no average.
    """
    entry = weights.pop("_ema", None)
    if average:
        if not entry:
            raise ValueError(f"`model.load_ema` is true, but {path} holds no average (`_ema`); remove this key")
        weights.update(as_student(entry))
    model.upgrade_state_dict(weights)
    model.load_state_dict(weights, strict=True)


def freeze(encoder: Any, pattern: Any) -> None:
    """Freeze parameters whose whole name matches `model.freeze_regex`; raises ValueError if none does."""
    if pattern is None:
        return
    names = model_names(encoder)
    found: List[nn.Parameter] = [value for name, value in names.items() if re.fullmatch(pattern, name)]
    if not found:
        raise ValueError(
            f"`model.freeze_regex` is {pattern!r}, which matches no parameter; parameters have names such as "
            f"{next(iter(names))}"
        )
    for parameter in found:
        parameter.requires_grad_(False)


def model_names(encoder: Any) -> Dict[str, nn.Parameter]:
    """Return the parameters by their names in checkpoints."""
    layout, prefix, names = encoder.w2v_model.layout, "w2v_model.", {}
    for name, parameter in encoder.named_parameters():
        inner = name[len(prefix) :]
        names[prefix + layout.plain_name(inner) if name.startswith(prefix) else name] = parameter
    return names


def projection(dim: int, outputs: int) -> nn.Linear:
    """Build the layer from the encoder's channels to symbols, or to a decoder's channels."""
    made = nn.Linear(dim, outputs)
    nn.init.xavier_uniform_(made.weight)
    nn.init.zeros_(made.bias)
    return made


def plain(section: Any) -> Dict[str, Any]:
    """Return a configuration as dicts, with interpolations resolved and enumerations by name."""
    found: Any = section
    if OmegaConf.is_config(section):
        found = OmegaConf.to_container(section, resolve=True, enum_to_str=True)
    return {key: plain(value) if hasattr(value, "keys") else value for key, value in dict(found).items()}
