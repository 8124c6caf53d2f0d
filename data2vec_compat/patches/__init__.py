"""All patches. Importing this package registers them; :func:`activate` activates them."""

from data2vec_compat.patches import (  # noqa: F401  (each registers its patches)
    bitarray,
    distributed,
    evaluated_strings,
    foreign_warnings,
    hydra,
    imports,
    libnat,
    numpy,
    own_faults,
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
