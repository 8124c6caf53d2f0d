"""Filters warnings of current hydra and torch about fairseq's own code, which users cannot act on.

Each is filtered by its message and its module. With `-W` or PYTHONWARNINGS, Python shows them all.
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
    r"\s*The strict flag in the compose API is deprecated",
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
    why="current hydra and torch warn about fairseq's own calls in dozens of lines, which hide other warnings",
)
def leave_out(module: ModuleType) -> bool:
    """Filters them, unless warnings were requested."""
    if sys.warnoptions:
        return False
    for message in MESSAGES:
        warnings.filterwarnings("ignore", message, module=FROM)
    return True


@patch(
    "notices",
    "logging",
    why="without tensorboardX, fairseq advises in every program to install it, for speech synthesis",
)
def leave_out_notices(module: ModuleType) -> bool:
    """Filters the notice."""
    module.getLogger("fairseq.tasks.text_to_speech").addFilter(  # type: ignore[attr-defined]
        lambda record: not record.getMessage().startswith("Please install tensorboardX")
    )
    return True
