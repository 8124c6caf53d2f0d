"""The registered text model: upstream's name, keys, forward arguments and results on our core."""

from argparse import Namespace
from typing import Any, Dict, List, Mapping, MutableMapping, Optional, Tuple, Union

import torch
from fairseq import hub_utils
from fairseq.models import register_model
from torch import Tensor

from ..core.masks.mask import Mask
from ..interop import parts
from ..interop.fairseq import text_v1
from ..interop.parts import PartsLayout
from ..modalities.text import text_data2vec
from ._for_fairseq import CheckpointedModel, HeadedEncoder, if_padded, mask_of_loader
from ._method_keys import TEXT_KEYS
from ._text_hub import TextHub
from .classification.sentence_heads import ClassificationHeads
from .text_config import Data2VecTextConfig, method_config, text_config

Features = Tuple[Tensor, Dict[str, Any]]


@register_model("data2vec_text", dataclass=Data2VecTextConfig)
class Data2VecTextModel(CheckpointedModel):
    """data2vec on text for fairseq: pre-training under a masked-LM task, heads under ``sentence_prediction``."""

    keys = TEXT_KEYS
    layout = PartsLayout(text_v1, parts.TEXT)
    classification_heads: Optional[ClassificationHeads]

    def __init__(self, cfg: Data2VecTextConfig, dictionary: Any) -> None:
        text = text_config(cfg, dictionary)
        super().__init__(text_data2vec(method_config(cfg), text))
        self.text = text
        self.cfg = cfg
        self.args = Namespace()  # fairseq's `sentence_prediction` criterion asks every model for it
        self.classification_heads = ClassificationHeads(self.config.transformer.dim)

    @classmethod
    def build_model(cls, cfg: Data2VecTextConfig, task: Any) -> "Data2VecTextModel":
        """fairseq's entry point; the task has the dictionary."""
        return cls(cfg, task.source_dictionary)

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls, model_name_or_path: str, checkpoint_file: str = "model.pt", data_name_or_path: str = ".", **overrides: Any
    ) -> TextHub:
        """fairseq's entry point for Python: RoBERTa's hub interface, with the subwords of the checkpoint's task."""
        return TextHub(hub_utils.from_pretrained(model_name_or_path, checkpoint_file, data_name_or_path, **overrides))

    def forward(  # type: ignore[override]
        self,
        src_tokens: Tensor,
        target_tokens: Optional[Tensor] = None,
        features_only: bool = False,
        return_all_hiddens: bool = False,
        classification_head_name: Optional[str] = None,
        mask_indices: Optional[Tensor] = None,
        mask_positions: Optional[Tensor] = None,
        padded: Optional[bool] = None,
        mask: Optional[Mapping[str, Tensor]] = None,
        **unused: Any,
    ) -> Union[Dict[str, Any], Features]:
        """One step of pre-training, or features (B, T, C), or a head's output, with a dict of further outputs.

        ``src_tokens`` (B, T) are masked ids; ``target_tokens`` (B, T) the full sentence, or, as from fairseq's
        ``masked_lm``, only the hidden ids with padding between them. ``mask`` holds the positions to regress as drawn
        by this plugin's loader (:meth:`Mask.as_dict`); alternatively, ``mask_indices`` (B, T) bool names them, and
        ``mask_positions`` (N,) are their flat indices, which avoid a device synchronisation, as does ``padded``:
        whether there is any padding. Other keys of fairseq's samples are not used.
        """
        padding_mask = self._padding(src_tokens, padded)
        if features_only or classification_head_name is not None:
            return self.features(src_tokens, padding_mask, return_all_hiddens, classification_head_name)
        if target_tokens is None:
            raise ValueError("`target_tokens` is missing: pre-training needs `task.include_target_tokens=true`")
        given = mask_of_loader(mask, mask_indices, mask_positions)
        if given is None:
            given = self._mask(src_tokens, target_tokens, mask_indices, mask_positions)
        whole = target_tokens if self.config.reference_compat else self._whole(src_tokens, target_tokens)
        result = self.pretrained(src_tokens, padding_mask, given, whole)
        return {**result, "logs": {"ema_decay": result["ema_decay"]}}

    def _padding(self, src_tokens: Tensor, padded: Optional[bool]) -> Optional[Tensor]:
        """True where padded (B, T); None without padding, as far as that is known without waiting for a device."""
        if padded is False:
            return None
        mask = src_tokens.eq(self.text.pad)
        return mask if padded else if_padded(mask)

    def _whole(self, src_tokens: Tensor, target_tokens: Tensor) -> Tensor:
        """The sentence as it was before it was masked (B, T)."""
        return torch.where(target_tokens.eq(self.text.pad), src_tokens, target_tokens)

    def _mask(
        self, src_tokens: Tensor, target_tokens: Tensor, indices: Optional[Tensor], positions: Optional[Tensor]
    ) -> Mask:
        """The positions to regress: those given, or those chosen by a masked-LM task, including unchanged words.

        If ``target_tokens`` are the full sentence, the mask symbols are regressed.
        """
        if indices is None:
            pad = self.text.pad
            chosen, visible = target_tokens.ne(pad), src_tokens.eq(self.text.mask)
            is_whole = chosen.eq(src_tokens.ne(pad)).all(dim=1, keepdim=True)
            indices = visible if self.config.reference_compat else torch.where(is_whole, visible, chosen)
        return Mask.given(indices, positions)

    def features(
        self, src_tokens: Tensor, padding_mask: Optional[Tensor], all_hiddens: bool, head: Optional[str]
    ) -> Features:
        """Return features (B, T, C), or a head's output; with ``all_hiddens``, ``inner_states`` (T, B, C) of layers."""
        tokens = self.encoder.embed(src_tokens, padding_mask)
        encoded = self.encoder.encode(tokens, record=("block",) if all_hiddens else ())
        embedder: Any = self.encoder.embedder
        extra: Dict[str, Any] = {"inner_states": None, "encoder_embedding": embedder.look_up(src_tokens)}
        if all_hiddens:
            states: List[Any] = [encoded.entered, *encoded.signal("block")]
            extra["inner_states"] = [state.transpose(0, 1) for state in states]
        if head is None:
            return encoded.x, extra
        if self.classification_heads is None or head not in self.classification_heads:
            raise ValueError(
                f"there is no classification head `{head}`; it is registered by fairseq's task `sentence_prediction`"
            )
        return self.classification_heads[head](encoded.x), extra

    def extract_features(self, src_tokens: Tensor, return_all_hiddens: bool = False, **unused: Any) -> Features:
        """See :meth:`features`."""
        features: Features = self.forward(  # type: ignore[assignment]
            src_tokens, features_only=True, return_all_hiddens=return_all_hiddens
        )
        return features

    def register_classification_head(
        self, name: str, num_classes: int = 2, inner_dim: Optional[int] = None, **unused: Any
    ) -> None:
        """Called by fairseq's ``sentence_prediction`` before fine-tuning, so the teacher is removed."""
        if self.classification_heads is None:
            raise ValueError(
                "this model's heads were removed; fine-tune with `model._name=data2vec_text_classification`"
            )
        self.classification_heads.register(name, num_classes, inner_dim)
        self.method = HeadedEncoder(self.method)

    def get_normalized_probs(self, net_output: Any, log_probs: bool, sample: Any = None) -> Tensor:
        """(Log) probabilities of the classes, in fp32."""
        logits = net_output[0].float()
        return torch.log_softmax(logits, dim=-1) if log_probs else torch.softmax(logits, dim=-1)

    def max_positions(self) -> int:
        """How many tokens a row may have."""
        return int(self.cfg.max_positions)

    @property
    def supported_targets(self) -> "set[str]":
        """The targets that fairseq's language-model tasks may request."""
        return {"self"}

    def upgrade_state_dict_named(self, state_dict: MutableMapping[str, Any], name: str) -> None:
        """Accept upstream's layout and ours, of pre-training and of fine-tuning."""
        super().upgrade_state_dict_named(state_dict, name)
        if self.classification_heads is not None:
            prefix = name + "." if name else ""
            self.classification_heads.reconcile(state_dict, prefix, adopt=self.cfg.load_checkpoint_heads)

    def remove_pretraining_modules(self, last_layer: Optional[int] = None) -> None:
        """Drop the heads too and, with ``last_layer``, the final norm."""
        super().remove_pretraining_modules(last_layer)
        self.classification_heads = None
        if last_layer is not None:
            self.encoder.transformer.layer_norm = None
