"""Load the checkpoint that fine-tuning starts from, and keep its configuration in the model's own checkpoints."""

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, Dict, Mapping, Tuple

from fairseq import models
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from omegaconf import OmegaConf, open_dict

from ...checkpoints.encoder_checkpoint import is_wanted
from ...checkpoints.saved_file import read_checkpoint
from ...interop.identify import CAPITALS, MODALITIES, MULTI, Identity, identify


def read_pretrained(path: str) -> Tuple[Dict[str, Any], Identity]:
    """Read and identify the checkpoint that ``model.model_path`` names; raises ValueError if it is not one."""
    try:
        state = read_checkpoint(path)
    except ValueError as error:
        raise ValueError(f"`model.model_path`: {error}") from error
    return state, identify(state)


def refuse_other(path: str, found: Identity, model: str, modality: str = "") -> None:
    """Raise ValueError unless a checkpoint is of the pre-trained ``model``, or of data2vec 2.0 with its modality."""
    modality = modality or MODALITIES[model]
    if modality in found.modalities and found.model in (model, MULTI):
        return
    second = f"`{MULTI}` for {modality}"
    wanted = second if model == MULTI else f"`{model}`, or from {second}"
    raise ValueError(f"`model.model_path` is {path}: {found.message(f'fine-tuning starts from {wanted}')}")


def build_pretrained(section: Any, modality: str, task: Any = None) -> Any:
    """Build the encoder of one modality that a pre-trained model's ``section`` describes, with fresh weights."""
    if section.get("_name") == MULTI:
        capitals = next(name for name, known in CAPITALS.items() if known == modality)
        dictionary = getattr(task, "source_dictionary", None)
        task = SimpleNamespace(source_dictionary=dictionary, supported_modalities=[capitals])
    model = models.build_model(section, task, from_checkpoint=True)
    model.remove_pretraining_modules()
    return model


def load_pretrained(model: Any, weights: Mapping[str, Any], modality: str, fit: Any = None) -> None:
    """Load pre-trained weights, without those that fine-tuning does not have: heads, and other modalities.

    ``fit`` is called with the weights under their names in memory, and the model, to adapt weights of another size.
    """
    own = {name: value for name, value in weights.items() if is_wanted(name, (modality,))}
    model.upgrade_state_dict(own)
    if fit is not None:
        fit(own, model)
    model.load_state_dict(own, strict=True)


def pretrained_section(state: Mapping[str, Any]) -> Dict[str, Any]:
    """The model's section of a checkpoint's configuration, old or new."""
    cfg = state.get("cfg") or convert_namespace_to_omegaconf(state["args"])
    section: Dict[str, Any] = plain(cfg["model"])
    return section


def keep_in_checkpoints(cfg: Any, name: str, value: Any) -> None:
    """Set a key, also in the configuration that the trainer saves: fairseq gives a model a merged copy of it."""
    root = cfg.__dict__.get("_parent")
    sections = [cfg] if root is None or "model" not in root else [cfg, root["model"]]
    for section in sections:
        with open_dict(section) if OmegaConf.is_config(section) else nullcontext():
            setattr(section, name, value)


def plain(section: Any) -> Any:
    """A configuration as plain dicts."""
    return OmegaConf.to_container(section, resolve=True) if OmegaConf.is_config(section) else section
