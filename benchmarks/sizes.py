"""The model sizes that are measured: those of configs/size."""

from pathlib import Path
from typing import Any, Dict

from omegaconf import OmegaConf

FOLDER = Path(__file__).resolve().parents[1] / "configs" / "size"


def model_keys(size: str, modality: str) -> Dict[str, Any]:
    """The model's keys of one size, such as `tiny`; raises FileNotFoundError for an unknown size."""
    keys: Any = OmegaConf.to_container(OmegaConf.load(FOLDER / modality / f"{size}.yaml"))
    return dict(keys["model"])
