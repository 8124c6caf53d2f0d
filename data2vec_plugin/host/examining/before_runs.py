"""The checks that a run of this plugin makes before its first update or clip."""

from __future__ import annotations

import logging
import math
import os
from pathlib import Path
from typing import Any, Optional

import numpy as np

from ...files.text.manifests import manifest_entries, manifest_root
from ...files.unusable import UnusableFileError
from ...interop.identify import as_mapping
from ...preflight.finding import ERROR, WARNING, Findings
from ...preflight.label_lengths import check_labels
from ...preflight.resources import check_disk, check_memory
from ...preflight.speech_files import audio_config, audio_sets, check_headers, check_lengths, check_overlap, paths_of
from ..watching.plan import goal_updates
from ..watching.together import gathered

logger = logging.getLogger(__name__)

SWITCH = "DATA2VEC_PREFLIGHT"
"""The environment variable that turns automatic checks off when it is 0."""


def is_on() -> bool:
    """Whether training and decoding are checked automatically."""
    return os.environ.get(SWITCH, "1") != "0"


def before_training(trainer: Any) -> None:
    """Check in the first process what a training has loaded; log warnings.

    Raises:
        ValueError: there is an error. All processes call this and raise together: otherwise the others would wait for
            the first one's gradients until they are killed.
    """
    findings = Findings()
    if is_on() and trainer.data_parallel_rank == 0:
        check_training(trainer.task, trainer.get_model(), trainer.cfg, findings)
        _log_warnings(findings)
    if trainer.data_parallel_world_size > 1:
        findings = first_process_findings(findings, trainer.data_parallel_process_group)
    findings.raise_errors()


def before_decoding(task: Any, models: Any, training: Optional[Path]) -> None:
    """Check the data sets of ``fairseq-generate``; ``training`` is the manifest of the models' training, if known.

    Logs warnings; raises ValueError for errors.
    """
    if is_on():
        findings = Findings()
        check_decoding(task, models[0], training, findings)
        _log_warnings(findings)
        findings.raise_errors()


def first_process_findings(findings: Findings, group: Any) -> Findings:
    """Return, on every process of a group, the errors that the first process has found."""
    first = Findings()
    first.refuse(gathered("\n".join(findings.of(ERROR)), group)[0])
    return first


def _log_warnings(findings: Findings) -> None:
    for text in findings.of(WARNING):
        logger.warning(f"preflight: {text}")


def check_training(task: Any, model: Any, cfg: Any, findings: Findings) -> None:
    """Look at the data sets that a task has loaded, and at memory and disk space; ``model`` may be None."""
    train = cfg.dataset.train_subset
    audio = audio_sets(task)
    others = {split: each for split, each in audio.items() if split != train}
    if train in audio and others:
        check_overlap(train, paths_of(audio[train]), others, findings)
    for split, each in audio.items():
        check_headers(split, each, findings, processes(cfg))
    if not cfg.dataset.skip_invalid_size_inputs_valid_test:
        for each in others.values():
            check_lengths(each, cfg.dataset.max_tokens_valid, findings)
    if model is None:
        return
    _check_labels(task, model, findings)
    per_epoch = updates_per_epoch(task, cfg)
    updates = goal_updates(cfg, per_epoch)
    check_memory(model, cfg, findings)
    check_disk(model, cfg, updates, updates / per_epoch if per_epoch else 0, findings)


def check_decoding(task: Any, model: Any, training: Optional[Path], findings: Findings) -> None:
    """Look at the data sets that are decoded; ``training`` is the manifest of the model's training, if known."""
    audio = audio_sets(task)
    for split, each in audio.items():
        check_headers(split, each, findings)
    others = {split: each for split, each in audio.items() if training is None or split != training.stem}
    if training is not None and training.is_file() and others:
        try:
            root = manifest_root(training)
            files = [os.path.normpath(root / entry.path) for entry in manifest_entries(training)]
        except UnusableFileError as error:
            findings.warn(f"the training's files are not compared: {error}")
        else:
            check_overlap(str(training), files, others, findings)
    _check_labels(task, model, findings)


def trained_on(task_cfg: Any) -> Optional[Path]:
    """Return the manifest of a checkpoint's training from its task's configuration, or None if that names none."""
    section = as_mapping(task_cfg)
    folder, split = (section.get(key) for key in ("data", "train_split"))
    return Path(folder) / f"{split}.tsv" if folder and split else None


def _check_labels(task: Any, model: Any, findings: Findings) -> None:
    audio = audio_config(model)
    if audio is not None:
        for split, dataset in task.datasets.items():
            if hasattr(dataset, "get_label"):
                check_labels(split, dataset, audio.conv_layers, findings)


def updates_per_epoch(task: Any, cfg: Any) -> int:
    """Estimate the updates in an epoch of the training set; 0 if its batches are not bounded by samples."""
    audio = audio_sets(task).get(cfg.dataset.train_subset)
    if audio is None or not cfg.dataset.max_tokens:
        return 0
    samples = float(np.minimum(audio.sizes, audio.max_sample_size).sum())
    return math.ceil(samples / (cfg.dataset.max_tokens * cfg.optimization.update_freq[0] * processes(cfg)))


def processes(cfg: Any) -> int:
    """Return the number of processes that train."""
    return max(int(cfg.distributed_training.distributed_world_size), 1)
