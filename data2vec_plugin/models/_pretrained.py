"""The checkpoint that a fine-tuned model begins with, and what of it is kept in the model's own checkpoints."""

from contextlib import nullcontext
from typing import Any, Dict

from fairseq import checkpoint_utils
from omegaconf import OmegaConf, open_dict


def read_checkpoint(path: str) -> Dict[str, Any]:
    """A checkpoint of fairseq's, or a file of nothing but weights as it is; tensors on the CPU."""
    try:
        state: Dict[str, Any] = checkpoint_utils.load_checkpoint_to_cpu(path)
    except KeyError:  # of what fairseq notes about a run, there is nothing
        state = checkpoint_utils.torch.load(path, map_location="cpu")
    return state


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
