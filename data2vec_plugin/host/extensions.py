"""All functions of fairseq that are extended when the plugin is imported, and why.

Each is a function, method or class that fairseq looks up by name when it needs it. A function of this plugin replaces
it, and receives the original as its first argument.
"""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import PurePath
from typing import Any, Dict

from ..compat import patches

MARK = "extended_by_data2vec"
COMMANDS = "fairseq_cli"


@dataclass(frozen=True)
class Extension:
    """``name`` in fairseq's ``module`` (a method as ``Class.method``) is replaced by ``ours``, a name in this
    package."""

    module: str
    name: str
    ours: str
    why: str


EXTENSIONS = (
    Extension(
        "fairseq_cli.train",
        "Trainer",
        "host.training.trainer.build_trainer",
        "data2vec runs use this plugin's trainer: fairseq informs a task neither of the steps of its run nor of errors",
    ),
    Extension(
        "fairseq_cli.train",
        "train",
        "host.watching.stop.train_epoch",
        "a data2vec run that stops by itself saves first, and a finished one makes no further update",
    ),
    Extension(
        "fairseq.logging.progress_bar",
        "progress_bar",
        "host.watching.progress.progress_bar",
        "where no format was chosen, the console of a data2vec run has lines for people, and its log files JSON; "
        "every epoch opens `common.log_file` once more, and writes each line as often as it is open",
    ),
    Extension(
        "fairseq_cli.generate",
        "_main",
        "host.generation.generate",
        "the task knows that it decodes, and the last line reports how: fairseq always prints `--beam`",
    ),
    Extension(
        "fairseq.checkpoint_utils",
        "load_checkpoint_to_cpu",
        "host.checkpoints.reader.read",
        "all checkpoints are read through it: damaged and other files are reported, checkpoints of other code are "
        "adapted",
    ),
    Extension(
        "fairseq.checkpoint_utils",
        "load_model_ensemble_and_task",
        "host.checkpoints.model_loading.load_models",
        "commands evaluate the averaged weights if training did, and report checkpoints that they cannot load",
    ),
    Extension(
        "fairseq.checkpoint_utils",
        "save_checkpoint",
        "host.checkpoints.saving.save",
        "a crash costs a data2vec run no more than the updates since its last checkpoint",
    ),
    Extension(
        "fairseq.models.wav2vec.wav2vec2_asr",
        "Wav2VecEncoder.__init__",
        "host.checkpoints.contradictions.build_encoder",
        "contradictions between a recipe and a data2vec checkpoint are reported in a message, not by a bare assertion",
    ),
    Extension(
        "fairseq.models.wav2vec.wav2vec2_asr",
        "Wav2VecEncoder.forward",
        "host.training.encoder_masks.encode",
        "masks of fine-tuning are drawn by the data loader: the encoder would draw others, and synchronise with the "
        "device",
    ),
    Extension(
        "fairseq.dataclass.utils",
        "merge_with_parent",
        "config_keys.merge_with_parent",
        "an unknown key is reported together with similar ones",
    ),
)


def extend_fairseq() -> None:
    """Extend modules that are already imported, and the others when they are; safe to call twice."""
    for extension in EXTENSIONS:
        patches().after_import(extension.module, functools.partial(_extend, extension))
    for extension in EXTENSIONS:
        program = _program(extension.module)
        if program:
            put(extension, program)


def put(extension: Extension, names: Dict[str, Any]) -> None:
    """Replace the extension's name in ``names`` of a module; does nothing if it is already replaced."""
    holder, _, method = extension.name.partition(".")
    stock = getattr(names[holder], method) if method else names[holder]
    if getattr(stock, MARK, False):
        return
    module, _, name = extension.ours.rpartition(".")
    ours = getattr(import_module(f"..{module}", __package__), name)

    @functools.wraps(stock, updated=() if isinstance(stock, type) else functools.WRAPPER_UPDATES)
    def extended(*args: Any, **kwargs: Any) -> Any:
        return ours(stock, *args, **kwargs)

    setattr(extended, MARK, True)
    if method:
        setattr(names[holder], method, extended)
    else:
        names[holder] = extended


def _extend(extension: Extension) -> None:
    put(extension, vars(sys.modules[extension.module]))


def _program(module: str) -> Dict[str, Any]:
    """Return the names of a command's module if it runs as the program, and so is not imported by its name.

    Empty if it does not. In a process started by torch, they are not those of ``__main__``: hence the globals of its
    function.
    """
    program = sys.modules.get("__main__")
    package, _, name = module.rpartition(".")
    if package != COMMANDS or PurePath(getattr(program, "__file__", None) or "").parts[-2:] != (package, f"{name}.py"):
        return {}
    names: Dict[str, Any] = program.main.__globals__  # type: ignore[union-attr]
    return names
