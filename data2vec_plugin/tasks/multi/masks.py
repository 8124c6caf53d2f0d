"""Which masks the loader draws for a model of data2vec 2.0, and which settings cannot pre-train."""

from __future__ import annotations

from copy import copy
from typing import Any, Dict, Mapping, Optional

from ...config_keys import errors_by_key, modality_keys
from ...core.masks.exact_masking import ExactMaskConfig, ExactMasker
from ...core.masks.masking import BatchMasker
from ...core.model import Data2Vec
from ...core.several import SeveralModalities
from ...data.sample_seeds import OWN, SampleSeeds

LAYOUT = {"AUDIO": "feature_encoder_spec", "IMAGE": "patch_size"}
"""The key, of the loader's masks and of the model, that determines the number of tokens."""
OF_BLOCKS = ("mask_prob", "mask_prob_adjust", "mask_length", "inverse_mask", "mask_dropout")
OF_LOADER = ("expand_adjacent", "non_overlapping")


def method_of(model: Any, modality: str) -> Optional[Data2Vec]:
    """Return the method of a modality in a data2vec 2.0 model; None for any other model.

    Raises ValueError for a model that does not have the modality.
    """
    several = getattr(model, "method", None)
    if not isinstance(several, SeveralModalities):
        return None
    if modality not in several.methods:
        raise ValueError(
            f"this task is for {modality}, but `model.supported_modality` is {', '.join(several.methods)}; set it to "
            f"{modality}"
        )
    return several.of(modality)


def masks_of(model: Any, modality: str, seeds: SampleSeeds, settings: Any, key: str) -> BatchMasker:
    """Return the masker of a modality: the model's or, with ``settings``, one that draws as upstream's loader.

    ``settings``, from the configuration's ``key``, replace the model's. Raises ValueError for models of other kinds.
    """
    method = method_of(model, modality)
    if method is None:
        raise ValueError(f"this task requires a data2vec 2.0 model, not {type(model).__name__}")
    seeds.of_before = OWN  # upstream's loader seeds its masks by numbers that no checkpoint holds
    if settings is None:
        return method.masks
    masks = copy(method.masks)
    masks.masker = ExactMasker(
        block_config(model.cfg, modality, settings, key), getattr(method.masks.masker, "grid", None)
    )
    return masks


def block_config(model_cfg: Any, modality: str, settings: Mapping[str, Any], key: str) -> ExactMaskConfig:
    """Return the settings of upstream's blocks; raises ValueError for an unknown key, or one that cannot differ."""
    own = getattr(model_cfg.modalities, modality.lower())
    theirs = {LAYOUT[modality]: getattr(own, LAYOUT[modality]), "clone_batch": model_cfg.clone_batch}
    values: Dict[str, Any] = {
        **theirs,
        **{name: getattr(own, name) for name in OF_BLOCKS},
        **dict.fromkeys(OF_LOADER, False),
    }
    for name, value in settings.items():
        if name not in values:
            raise ValueError(f"`{key}.{name}` is not a key of the loader's masks; expected one of {', '.join(values)}")
        if name in theirs and value != theirs[name]:
            raise ValueError(
                f"`{key}.{name}` is {value!r}, but the model's is {theirs[name]!r}; remove it, since masks apply to "
                "the model's tokens"
            )
        values[name] = value
    with errors_by_key({"prob": f"{key}.mask_prob", "length": f"{key}.mask_length", "dropout": f"{key}.mask_dropout"}):
        return ExactMaskConfig(
            prob=values["mask_prob"],
            length=values["mask_length"],
            adjust=values["mask_prob_adjust"],
            inverse=values["inverse_mask"],
            dropout=values["mask_dropout"],
            adjacent=values["expand_adjacent"],
            separate=values["non_overlapping"],
        )


def check_trains(model: Any, modality: str) -> None:
    """Raise ValueError, which names the key, if too many layers are targets, or masks hide too little or too much."""
    method = method_of(model, modality)
    if method is None:
        return
    with errors_by_key({**model.keys, **modality_keys(modality)}):
        method.config.check_targets()
        config: Any = method.masks.masker.config  # type: ignore[attr-defined]
        config.check_share()
