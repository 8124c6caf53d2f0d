"""All patches. Importing this package registers them; :func:`activate` arms them."""

from data2vec_compat.patches import (  # noqa: F401  (each registers its patches)
    checkpoint_files,
    checkpoint_keys,
    damaged_checkpoints,
    distributed,
    hydra,
    imports,
    numpy,
    own_faults,
    restore_file,
    torch,
)
from data2vec_compat.registry import PATCHES, arm

_active = False


def activate() -> None:
    """Arms each patch; again does nothing."""
    global _active
    if _active:
        return
    _active = True
    arm(PATCHES)
