"""All patches. Importing this package registers them; :func:`activate` arms them."""

import sys
from functools import partial

from data2vec_compat import after_import
from data2vec_compat.patches import (  # noqa: F401  (each registers its patches)
    builtin_help,
    checkpoint_files,
    checkpoint_keys,
    checkpoints,
    composite_optimizer,
    cpu_convolutions,
    ctc_silence,
    damaged_checkpoints,
    distributed,
    ema_integers,
    encoder,
    evaluated_strings,
    loader_thread,
    machine,
    mutable_defaults,
    nested_arguments,
    numpy_names,
    override_errors,
    recipe_batch,
    restore_file,
    roberta,
    short_runs,
    sweep_folders,
    sweep_logs,
    user_dir,
    writable_folders,
)
from data2vec_compat.registry import PATCHES, Patch

_active = False


def activate() -> None:
    """Arms each patch: now if its module is imported, else right after it is."""
    global _active
    if _active:
        return
    _active = True
    for entry in PATCHES:  # those of the standard library at once: it is imported
        after_import(entry.module, partial(_run, entry))


def _run(entry: Patch) -> None:
    entry.run(sys.modules[entry.module])
