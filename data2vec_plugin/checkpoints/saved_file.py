"""What a file is that should be a checkpoint, and what is in it: nothing of it is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Union

import torch
from fairseq import checkpoint_utils

from data2vec_compat.file_kinds import is_old_format
from data2vec_compat.safe_load import RefusedCheckpointError, UnreadableCheckpointError, load_allowed

from ..interop.identify import OURS_ONLY, Identity, identify


def read_checkpoint(path: Union[str, Path]) -> Dict[str, Any]:
    """A checkpoint as fairseq hands it out, or as it is where nothing in it is of a run; tensors on the CPU.

    Raises ValueError if there is none, if it could run code, or if it is another kind of file.
    """
    if not Path(path).exists():
        raise ValueError(f"checkpoint {path} does not exist; use the .pt file of a training run")
    try:
        state: Any = checkpoint_utils.load_checkpoint_to_cpu(str(path))
    except (RefusedCheckpointError, UnreadableCheckpointError, OSError):
        raise
    except Exception:  # where fairseq looks for what it notes about a run, and makes a configuration of what it finds
        state = read_file(path)
    if not isinstance(state, dict):
        raise ValueError(f"checkpoint {path}: {identify(state).message(OURS_ONLY)}")
    return state


def read_file(path: Union[str, Path], **options: Any) -> Any:
    """What torch saved, with ``options`` of ``torch.load``; raises ValueError as :func:`read_checkpoint` does."""
    return load_allowed(torch, str(path), map_location="cpu", **options)


def read_mapped(path: Union[str, Path]) -> Any:
    """The same with memory-mapped tensors, except for torch's format before 1.6, which cannot be mapped."""
    mapped = Path(path).is_file() and not is_old_format(str(path))
    return read_file(path, **({"mmap": True} if mapped else {}))


def identify_file(path: Union[str, Path]) -> Identity:
    """What a file is; raises ValueError as :func:`read_checkpoint` does."""
    return identify(read_checkpoint(path))
