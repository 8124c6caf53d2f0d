"""Read and identify checkpoint files, without running code in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Union

import torch
from fairseq import checkpoint_utils

from data2vec_compat.file_kinds import is_old_format
from data2vec_compat.safe_load import RefusedCheckpointError, UnreadableCheckpointError, load_allowed

from ..interop.identify import OURS_ONLY, Identity, identify


def read_checkpoint(path: Union[str, Path]) -> Dict[str, Any]:
    """Return a checkpoint as fairseq loads it, or unchanged if it does not come from a run; tensors are on the CPU.

    Raises ValueError if it does not exist, could run code, or is another kind of file.
    """
    if not Path(path).exists():
        raise ValueError(f"checkpoint {path} does not exist; use the .pt file of a training run")
    try:
        state: Any = checkpoint_utils.load_checkpoint_to_cpu(str(path))
    except (RefusedCheckpointError, UnreadableCheckpointError, OSError):
        raise
    except Exception:  # fairseq expects the entries of a run and converts its configuration
        state = read_file(path)
    if not isinstance(state, dict):
        raise ValueError(f"checkpoint {path}: {identify(state).message(OURS_ONLY)}")
    return state


def read_file(path: Union[str, Path], **options: Any) -> Any:
    """Load a file with ``options`` of ``torch.load``; raises ValueError as :func:`read_checkpoint` does."""
    return load_allowed(torch, str(path), map_location="cpu", **options)


def read_mapped(path: Union[str, Path]) -> Any:
    """As :func:`read_file`, with memory-mapped tensors; torch's format before 1.6 cannot be mapped and is read."""
    mapped = Path(path).is_file() and not is_old_format(str(path))
    return read_file(path, **({"mmap": True} if mapped else {}))


def identify_file(path: Union[str, Path]) -> Identity:
    """Identify a checkpoint file; raises ValueError as :func:`read_checkpoint` does."""
    return identify(read_checkpoint(path))
