"""The checkpoint that a fine-tuned model begins with, and what of it is kept in the model's own checkpoints."""

from contextlib import nullcontext
from typing import Any, Dict, Mapping, Tuple

from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from omegaconf import OmegaConf, open_dict

from ...checkpoints.saved_file import read_checkpoint
from ...interop.identify import Identity, identify


def read_pretrained(path: str) -> Tuple[Dict[str, Any], Identity]:
    """The checkpoint that ``model.model_path`` names, and what it is; raises ValueError if it is none."""
    try:
        state = read_checkpoint(path)
    except ValueError as error:
        raise ValueError(f"`model.model_path`: {error}") from error
    return state, identify(state)


def refuse_other(path: str, found: Identity, model: str) -> None:
    """Raise ValueError unless a checkpoint is of the pre-trained ``model``."""
    if found.model != model:
        raise ValueError(f"`model.model_path` is {path}: {found.told(f'fine-tuning starts from `{model}`')}")


def pretrained_section(state: Mapping[str, Any]) -> Dict[str, Any]:
    """The model's section of a checkpoint's configuration, old or new."""
    cfg = state.get("cfg") or convert_namespace_to_omegaconf(state["args"])
    section: Dict[str, Any] = plain(cfg["model"])
    return section


def keep_in_checkpoints(cfg: Any, name: str, value: Any) -> None:
    """Set a key also where the trainer saves it from: fairseq hands a model a merged copy of its configuration."""
    root = cfg.__dict__.get("_parent")
    sections = [cfg] if root is None or "model" not in root else [cfg, root["model"]]
    for section in sections:
        with open_dict(section) if OmegaConf.is_config(section) else nullcontext():
            setattr(section, name, value)


def plain(section: Any) -> Any:
    """A configuration as plain dicts."""
    return OmegaConf.to_container(section, resolve=True) if OmegaConf.is_config(section) else section
