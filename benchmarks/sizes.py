"""The model sizes that are measured: those of configs/size/audio."""

from pathlib import Path
from typing import Any, Dict

from omegaconf import OmegaConf

FOLDER = Path(__file__).resolve().parents[1] / "configs" / "size" / "audio"


def model_keys(size: str) -> Dict[str, Any]:
    """The model's keys of one size, such as `tiny`; raises FileNotFoundError for a size that is not there."""
    keys: Any = OmegaConf.to_container(OmegaConf.load(FOLDER / f"{size}.yaml"))
    return dict(keys["model"])
