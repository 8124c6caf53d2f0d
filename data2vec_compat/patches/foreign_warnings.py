"""Warnings that today's hydra and torch give fairseq's own code, which its user can do nothing about.

Each is left out by its own words and where it comes from. Whoever asks Python for warnings (`-W`, PYTHONWARNINGS) gets
them all.
"""

import sys
import warnings
from types import ModuleType

from data2vec_compat.registry import patch

FROM = r"(hydra|fairseq|fairseq_cli|torch)(\.|$)"
MESSAGES = (
    r"\s*The version_base parameter is not specified",
    r"\s*'[^']*' is validated against ConfigStore schema with the same name",
    r"\s*Future Hydra versions will no longer change working directory",
    r"hydra\.experimental\.\w+(\(\))? is no longer experimental",
    r"In 'config': Usage of deprecated keyword in package header",
    r"`torch\.cuda\.amp\.\w+\(args\.\.\.\)` is deprecated",
    r"'pin_memory' argument is set as true but no accelerator is found",
    r"Detected call of `lr_scheduler\.step\(\)` before `optimizer\.step\(\)`",
    r"`?torch\.nn\.utils\.weight_norm`? is deprecated",
    r"`torch\.jit\.script` is deprecated",
)
"""How they begin."""


@patch(
    "warnings",
    "fairseq",
    why="today's hydra and torch warn of how fairseq calls them, dozens of lines in which others are overlooked",
)
def leave_out(module: ModuleType) -> bool:
    """Filters them, unless somebody has asked for warnings."""
    if sys.warnoptions:
        return False
    for message in MESSAGES:
        warnings.filterwarnings("ignore", message, module=FROM)
    return True
