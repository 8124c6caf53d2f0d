"""The registered model of data2vec 2.0: upstream's name, keys, forward arguments and results on our core."""

import re
from copy import copy
from typing import Any, Dict, Iterator, List, Mapping, MutableMapping, Optional, Sequence, Tuple, Union

from fairseq.models import register_model
from torch import Tensor, nn

from ...config_keys import modality_keys
from ...core.encoder import Encoder
from ...core.masks.mask import Mask
from ...core.outputs import EncoderOutput
from ...core.update_rules import UpdateRule, lr_scale, update_rules
from ...data.brought_mask import brought
from ...interop.fairseq.multi_v2 import ModalitiesLayout
from ...modalities.audio import AudioConfig
from .._for_fairseq import CheckpointedModel, EncoderAlone, if_padded, mask_of_loader
from .methods import MULTI_KEYS, several_modalities
from .multi_config import Data2VecMultiConfig, Modality

NEVER_DECAYED = ("extra_tokens", "alibi_scale", "alibi_bias")
"""Learned tokens and biases of attention, which are not matrices of linear layers."""


class EncodersAlone(nn.Module):
    """The part of several methods that fine-tuning keeps: the encoders of one modality, or of all.

    Each row gets one mask, and unlike in pre-training, masked tokens are encoded too.
    """

    teacher = None

    def __init__(self, several: Any, modality: Optional[str] = None) -> None:
        super().__init__()
        kept = [name for name in several.methods if modality in (None, name)]
        if not kept:
            raise ValueError(f"`modality` is {modality}; this model has {', '.join(several.methods)}")
        self.methods = nn.ModuleDict({name: EncoderAlone(several.methods[name]) for name in kept})
        for method in self.methods.values():
            method.masks = copy(method.masks)  # type: ignore[arg-type]
            method.masks.copies, method.masks.visible_only = 1, False  # type: ignore[union-attr]
        gone = [f"method.methods.{each.name}." + ("predictor." if each.name in kept else "") for each in Modality]
        self.without: Tuple[str, ...] = ("_ema", *gone)

    @property
    def masks(self) -> Any:
        """The masks of the only modality."""
        (method,) = self.methods.values()
        return method.masks

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Raises ValueError."""
        raise ValueError("this model was built for fine-tuning, without decoders: it cannot pre-train")

    def follow(self, num_updates: int) -> None:
        """Nothing to do: there is no teacher."""

    def restore_teacher(self, entry: Optional[Mapping[str, Any]]) -> None:
        """Nothing to do: there is no teacher."""


@register_model("data2vec_multi", dataclass=Data2VecMultiConfig)
class Data2VecMultiModel(CheckpointedModel):
    """data2vec 2.0 for fairseq: pre-training of one modality or several, and the encoder of fine-tuned models."""

    keys = MULTI_KEYS
    fine_tuned = EncodersAlone  # type: ignore[assignment]
    layer_decay = 1.0
    """In fine-tuning: the learning rate of a layer, relative to the layer above it."""
    audio: Optional[AudioConfig] = None
    """In fine-tuning on speech: the settings of the front end."""

    def __init__(self, cfg: Data2VecMultiConfig, modalities: Sequence[Modality], dictionary: Any = None) -> None:
        self.modalities = list(modalities)
        super().__init__(several_modalities(cfg, modalities, dictionary))  # type: ignore[arg-type]
        self.layout = ModalitiesLayout(self.modalities[0].name, cfg.ema_encoder_only)
        self.cfg = cfg
        if cfg.decoder_group:
            for parameter in decoder_parameters(self.method):
                parameter.param_group = "decoder"  # type: ignore[attr-defined]

    @classmethod
    def build_model(cls, cfg: Data2VecMultiConfig, task: Any = None) -> "Data2VecMultiModel":
        """fairseq's entry point; the task may name the modalities. Raises ValueError if it lacks text's dictionary."""
        modalities = modalities_of(cfg, task)
        if Modality.TEXT not in modalities:
            return cls(cfg, modalities)
        dictionary = getattr(getattr(task, "text_task", None) or task, "source_dictionary", None)
        if dictionary is None:
            raise ValueError(
                "`model.supported_modality` is TEXT or not set, but the task has no dictionary; use a text task, "
                "such as masked_lm, or set another modality"
            )
        return cls(cfg, modalities, dictionary)

    @property
    def encoder(self) -> Encoder:
        """The encoder of the only modality."""
        return self.encoder_of(None)

    @property
    def taught(self) -> Any:
        """The method of the only modality, with its part of the teacher."""
        self.method.ensure_teacher()  # type: ignore[union-attr, operator]
        return self.method.methods[self.mode_name(None)]  # type: ignore[union-attr, index]

    def class_token(self, img: Tensor) -> Tensor:
        """Return the encoder's output at the first extra token: (B, C)."""
        encoded: EncoderOutput = self.encoder(img, with_extra=True)
        return encoded.x[:, 0]

    def layer_rules(self) -> Dict[str, UpdateRule]:
        """Layer-wise learning rates of a fine-tuned model, if they differ between layers."""
        if self.layer_decay == 1:
            return {}
        return {name: UpdateRule(scale) for name, scale in layer_scales(self, self.layer_decay).items() if scale != 1}

    def encoder_of(self, mode: Any) -> Encoder:
        """Return the encoder of a modality, by its name or as :class:`Modality`; for None, of the only one."""
        encoder: Encoder = self.method.methods[self.mode_name(mode)].encoder  # type: ignore[union-attr, index]
        return encoder

    def mode_name(self, mode: Any) -> str:
        """Return the name in capitals; raises ValueError for a modality it lacks, and for None if it has several."""
        names = list(self.method.methods)  # type: ignore[union-attr, arg-type]
        if mode is None and len(names) == 1:
            return names[0]
        name = str(getattr(mode, "name", mode)).upper()
        if name not in names:
            raise ValueError(f"`mode` is {name}; expected one of {', '.join(names)}, which this model has")
        return name

    def forward(  # type: ignore[override]
        self,
        source: Tensor,
        target: Optional[Tensor] = None,
        id: Optional[Tensor] = None,  # noqa: A002 (upstream's name)
        mode: Any = None,
        padding_mask: Optional[Tensor] = None,
        mask: Union[bool, Mapping[str, Tensor]] = True,
        features_only: bool = False,
        force_remove_masked: bool = False,
        remove_extra_tokens: bool = True,
        precomputed_mask: Optional[Tensor] = None,
    ) -> Dict[str, Any]:
        """One step of pre-training, or features.

        ``source`` (B, samples), ids (B, T) or images (B, channels, size, size); ``target`` is another view of the
        same images, which the teacher sees. ``mask`` may be a whole mask as our loader draws it (:meth:`Mask.as_dict`);
        ``precomputed_mask`` (B · clone_batch, T), 1 = masked, is upstream's. ``id`` is upstream's too and not used.
        Raises ValueError for ``mask=False`` without ``features_only``: pre-training regresses what is masked.
        """
        given = mask_of_loader(mask, precomputed_mask)
        if precomputed_mask is not None:
            given = Mask.given(precomputed_mask)
        padding_mask = None if padding_mask is None else if_padded(padding_mask)
        if features_only:
            return self.features(source, mode, padding_mask, bool(mask), given, remove_extra_tokens)
        if not mask:
            raise ValueError("`mask` is False, but pre-training regresses masked tokens: add `features_only=True`")
        name = self.mode_name(mode)
        return self.by_modality(self.pretrained(name, source, padding_mask, given, target), name)

    def by_modality(self, result: Dict[str, Any], name: str) -> Dict[str, Any]:
        """Add the key of the mask to a result and, if there are several modalities, the modality and its variances."""
        result["mask_key"] = modality_keys(name)["prob"]
        names = list(self.method.methods)  # type: ignore[union-attr, arg-type]
        if len(names) > 1:
            methods = self.method.methods.values()  # type: ignore[union-attr, operator]
            terms = [term.name for method in methods for term in method.terms]
            result.update(mode=name, modes=names, loss_names=tuple(dict.fromkeys(terms)))
            result.update({f"{key}_{name}": result[key] for key in ("target_var", "pred_var")})
        return result

    def update_rules(self) -> Dict[str, UpdateRule]:
        """Return how the optimizer updates each parameter: weight decay of matrices only."""
        return update_rules(self.named_parameters(), 1, 1.0, (), NEVER_DECAYED)

    def features(
        self,
        source: Tensor,
        mode: Any = None,
        padding_mask: Optional[Tensor] = None,
        masked: bool = False,
        mask: Optional[Mask] = None,
        remove_extra_tokens: bool = True,
    ) -> Dict[str, Any]:
        """``x`` (B, T, C), ``padding_mask`` (B, T) or None, ``layer_results``: signals used as target.

        Masked only if ``masked``; masked tokens are then left out in pre-training, and encoded too in fine-tuning.
        """
        name = self.mode_name(mode)
        encoder = self.encoder_of(name)
        tokens = encoder.embed(source, padding_mask)
        if masked and mask is None:
            mask = self.method.methods[name].masks.drawn(tokens)  # type: ignore[union-attr, index]
        signal = self.config.targets.signal
        seen = encoder.view(tokens, mask if masked else None)
        encoded = encoder.encode(seen, record=(signal,), with_extra=not remove_extra_tokens)
        return {
            "x": encoded.x,
            "padding_mask": encoded.padding_mask,
            "layer_results": encoded.signal(signal),
            "mask": mask if masked else None,
        }

    def extract_features(
        self,
        source: Tensor,
        mode: Any = None,
        padding_mask: Optional[Tensor] = None,
        mask: Any = False,
        remove_extra_tokens: bool = True,
    ) -> Dict[str, Any]:
        """See :meth:`features`."""
        return self.forward(
            source,
            mode=mode,
            padding_mask=padding_mask,
            mask=brought(mask),
            features_only=True,
            remove_extra_tokens=remove_extra_tokens,
        )

    def remove_pretraining_modules(self, modality: Optional[str] = None, keep_decoder: bool = False) -> None:  # type: ignore[override]
        """Keep only the encoders, or that of one ``modality``, before fine-tuning."""
        self.method = EncodersAlone(self.method, None if modality is None else self.mode_name(modality))  # type: ignore[assignment]
        self.layout = ModalitiesLayout(next(iter(self.method.methods)))  # type: ignore[union-attr, arg-type]
        embedders = [method.encoder.embedder for method in self.method.methods.values()]  # type: ignore[union-attr, operator]
        self.audio = getattr(embedders[0], "audio", None) if len(embedders) == 1 else None

    def _to_ours(self, state_dict: MutableMapping[str, Any], prefix: str) -> None:
        """Convert to our names; layers that modalities share are once in a checkpoint, and here in each modality."""
        super()._to_ours(state_dict, prefix)
        for same in shared_names(self):
            held = [prefix + name for name in same if prefix + name in state_dict]
            if held:
                state_dict.update({prefix + name: state_dict[held[0]] for name in same})


LAYER = re.compile(r"(?:^|\.)encoder\.(prenet|transformer)\.layers\.(\d+)\.")


def layer_scales(model: Any, decay: float, embedding: float = 1.0) -> Dict[str, float]:
    """Return the factor on the learning rate of each parameter of a model with an ``encoder``.

    The modality's own layers and the shared ones are counted together: the last has ``decay``, the one below its
    square. The embedding has ``embedding``, everything else 1.
    """
    prenet = 0 if model.encoder.prenet is None else len(model.encoder.prenet.layers)
    layers = prenet + len(model.encoder.transformer.layers)
    scales = {}
    for name, _ in model.named_parameters():
        found = LAYER.search(name)
        if found is None:
            scales[name] = embedding if ".encoder.embedder." in name else 1.0
        else:
            place = int(found[2]) + (prenet if found[1] == "transformer" else 0)
            scales[name] = lr_scale(place + 1, layers, decay)
    return scales


def shared_names(model: nn.Module) -> List[List[str]]:
    """Return groups of names that belong to the same parameter."""
    names: Dict[int, List[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    return [same for same in names.values() if len(same) > 1]


def decoder_parameters(several: Any) -> Iterator[nn.Parameter]:
    """Yield the parameters of every modality's own decoder and of the shared one, repeated for each modality."""
    for method in several.methods.values():
        for decoder in (method.predictor.own, method.predictor.shared):
            if isinstance(decoder, nn.Module):
                yield from decoder.parameters()


def modalities_of(cfg: Data2VecMultiConfig, task: Any) -> List[Modality]:
    """Return the modalities that a model is built for: the task's, or the configuration's, or all."""
    supported = getattr(task, "supported_modalities", None)
    if supported is not None:
        return [Modality[str(getattr(each, "name", each))] for each in supported]
    one = cfg.supported_modality
    return list(Modality) if one is None else [Modality[str(getattr(one, "name", one))]]
