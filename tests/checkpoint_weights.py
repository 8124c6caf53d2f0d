"""What a checkpoint holds, for tests that compare two of them."""

from pathlib import Path
from typing import Any, Dict

import torch


def weights(path: Path) -> Dict[str, torch.Tensor]:
    """Student and teacher, if there is one, of a checkpoint, or of the last one in a folder."""
    path = path / "checkpoint_last.pt" if path.is_dir() else path
    state: Dict[str, Any] = torch.load(path, map_location="cpu", weights_only=False)["model"]
    teacher = {f"_ema.{key}": value for key, value in state.pop("_ema", {}).items()}
    return {**state, **teacher}
