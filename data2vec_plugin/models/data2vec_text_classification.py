"""The registered fine-tuning model for text: a pre-trained encoder under fairseq's ``sentence_prediction`` task."""

from argparse import Namespace
from typing import Any, Dict, MutableMapping, Optional, Tuple

import torch
from fairseq.models import BaseFairseqModel, register_model
from omegaconf import OmegaConf, open_dict
from torch import Tensor

from ..interop.fairseq.text_v1 import vocabulary_size
from ..interop.identify import MULTI
from ._for_fairseq import if_padded
from .classification.sentence_heads import ClassificationHeads
from .data2vec_text import Data2VecTextModel
from .starting.pretrained import (
    build_pretrained,
    keep_in_checkpoints,
    load_pretrained,
    plain,
    pretrained_section,
    read_pretrained,
    refuse_other,
)
from .text_classification_config import Data2VecTextClassificationConfig

DROPOUTS = ("dropout", "attention_dropout", "activation_dropout")
OF_DROPOUT = ("encoder_dropout", "post_mlp_drop")
"""The keys of data2vec 2.0 for `dropout`."""


@register_model("data2vec_text_classification", dataclass=Data2VecTextClassificationConfig)
class Data2VecTextClassificationModel(BaseFairseqModel):
    """RoBERTa's head on the features of ``<s>``, or at every token, of a pre-trained model of text, 1 or 2.0."""

    def __init__(self, cfg: Data2VecTextClassificationConfig, model: Any) -> None:
        super().__init__()
        self.cfg = cfg
        self.args = Namespace()  # fairseq's `sentence_prediction` criterion asks every model for it
        self.model = model
        self.classification_heads = ClassificationHeads(
            model.config.transformer.dim,
            cfg.token_level,
            activation_fn=cfg.pooler_activation_fn,
            pooler_dropout=cfg.pooler_dropout,
            do_spectral_norm=cfg.spectral_norm_classification_head,
        )

    @classmethod
    def build_model(cls, cfg: Data2VecTextClassificationConfig, task: Any) -> "Data2VecTextClassificationModel":
        """Build the encoder that the checkpoint describes, with its weights; raises ValueError if it is unsuitable."""
        if cfg.quant_noise_pq:
            raise ValueError(f"`model.quant_noise_pq` is {cfg.quant_noise_pq}; this model supports 0 only")
        state = None
        if cfg.pretrained_model_args is None:
            state, found = read_pretrained(cfg.model_path)
            refuse_other(cfg.model_path, found, "data2vec_text")
            check_dictionary(cfg.model_path, state["model"], task.source_dictionary)
            keep_in_checkpoints(cfg, "pretrained_model_args", {"model": pretrained_section(state)})
        model = build_pretrained(encoder_config(cfg), "text", task)
        if state is not None and not cfg.no_pretrained_weights:
            load_pretrained(model, state["model"], "text")
        return cls(cfg, model)

    def forward(
        self,
        src_tokens: Optional[Tensor] = None,
        src_lengths: Optional[Tensor] = None,
        features_only: bool = True,
        classification_head_name: Optional[str] = None,
        return_all_hiddens: bool = False,
        source: Optional[Tensor] = None,
        **unused: Any,
    ) -> Tuple[Tensor, Dict[str, Any]]:
        """Ids (B, T) -> a head's output (B, classes), at token level (B, T, classes); without a head (B, T, C).

        The accompanying dict holds the layers' outputs as ``inner_states`` (T, B, C) if ``return_all_hiddens``. With
        `task.d2v2_multi` fairseq's main branch calls the ids ``source``.
        """
        tokens = src_tokens if source is None else source
        if tokens is None:
            raise ValueError("neither `src_tokens` nor `source` is given; expected ids of a batch of rows")
        x, extra = self.features(tokens, return_all_hiddens)
        if classification_head_name is None:
            return x, extra
        if classification_head_name not in self.classification_heads:
            known = ", ".join(self.classification_heads) or "none"
            raise ValueError(f"there is no classification head `{classification_head_name}`; registered: {known}")
        return self.classification_heads[classification_head_name](x), extra

    def features(self, tokens: Tensor, hiddens: bool) -> Tuple[Tensor, Dict[str, Any]]:
        """Ids (B, T) -> (B, T, C), and the dict of :meth:`forward`."""
        if isinstance(self.model, Data2VecTextModel):
            x, extra = self.model(tokens, features_only=True, return_all_hiddens=hiddens)
            return x, extra
        padding_mask = if_padded(tokens.eq(self.model.encoder.embedder.text.pad))
        encoded = self.model.encoder(tokens, padding_mask, record=("block",) if hiddens else ())
        states = [encoded.entered, *encoded.signal("block")] if hiddens else []
        return encoded.x, {"inner_states": [state.transpose(0, 1) for state in states] if hiddens else None}

    def register_classification_head(
        self, name: str, num_classes: int = 2, inner_dim: Optional[int] = None, **unused: Any
    ) -> None:
        """Called by fairseq's ``sentence_prediction``."""
        self.classification_heads.register(name, num_classes, inner_dim)

    def get_normalized_probs(self, net_output: Any, log_probs: bool, sample: Any = None) -> Tensor:
        """(Log) probabilities of the classes, in fp32."""
        logits = net_output[0].float()
        return torch.log_softmax(logits, dim=-1) if log_probs else torch.softmax(logits, dim=-1)

    def max_positions(self) -> int:
        """How many tokens a row may have."""
        return self.model.encoder.embedder.text.max_positions

    def upgrade_state_dict_named(self, state_dict: MutableMapping[str, Any], name: str) -> None:
        """Upgrade the encoder's names, and drop the heads of another task."""
        super().upgrade_state_dict_named(state_dict, name)
        self.classification_heads.reconcile(state_dict, name + "." if name else "", adopt=False)


def check_dictionary(path: str, weights: MutableMapping[str, Any], dictionary: Any) -> None:
    """Raise ValueError if weights were trained with another dictionary."""
    size = vocabulary_size(weights)
    if size != len(dictionary):
        raise ValueError(
            f"`model.model_path` is {path}: it was trained with a dictionary of {size} symbols, but the data's "
            f"dictionary has {len(dictionary)} (including <mask>); prepare the data with the dict.txt of the "
            "pre-trained model"
        )


def encoder_config(cfg: Data2VecTextClassificationConfig) -> Any:
    """Return the pre-trained model's configuration, overridden by our dropouts that are set."""
    pretrained = OmegaConf.create(plain(cfg.pretrained_model_args)["model"])
    multi = pretrained.get("_name") == MULTI
    with open_dict(pretrained):
        for name in DROPOUTS:
            value = getattr(cfg, name)
            for key in (OF_DROPOUT if multi and name == "dropout" else (name,)) if value is not None else ():
                (pretrained if multi else pretrained.transformer)[key] = value
    return pretrained
