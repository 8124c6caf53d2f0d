"""`data2vec preflight`: everything that a run does before its first update or clip, and the checks of its data."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Iterator, Mapping

import numpy as np
from fairseq import checkpoint_utils, tasks, utils
from omegaconf import OmegaConf

from ...checkpoints.saved_file import read_mapped
from ...decoding.for_fairseq import check_decodable
from ...interop.identify import sections
from ...preflight.finding import Findings
from ...preflight.resources import estimate_time
from ...preflight.speech_files import audio_sets
from ..checkpoints.resuming import refuse_missing
from ..checkpoints.saving import LAST
from ..generation import decoding
from ..watching.plan import goal_updates
from ..watching.task import WatchedTask
from .before_runs import check_decoding, check_training, processes, trained_on, updates_per_epoch

RECOGNITION = "data2vec_asr"


def examine_recipe(cfg: Any) -> Findings:
    """Do everything that a training does before its first update, except for training, and check its data."""
    utils.import_user_module(cfg.common)
    findings, task, model = Findings(), None, None
    with logged_warnings(findings):
        with findings.collecting():
            task = tasks.setup_task(cfg.task)
        if task is None:
            return findings
        with findings.collecting():
            model = task.build_model(cfg.model)
        for split in dict.fromkeys([cfg.dataset.train_subset, *cfg.dataset.valid_subset.split(",")]):
            with findings.collecting():
                task.load_dataset(split, combine=False, epoch=1)
        with findings.collecting():
            check_start(task, cfg)
        with findings.collecting():
            check_training(task, model, cfg, findings)
    audio = audio_sets(task).get(cfg.dataset.train_subset)
    if audio is not None and model is not None and cfg.dataset.max_tokens:
        total = float(np.minimum(audio.sizes, audio.max_sample_size).sum()) / processes(cfg)
        samples = min(cfg.dataset.max_tokens * cfg.optimization.update_freq[0], total)
        updates = goal_updates(cfg, updates_per_epoch(task, cfg))
        estimate_time(model, cfg, audio.sample_rate, samples / audio.sample_rate, updates, findings)
    return findings


def check_start(task: Any, cfg: Any) -> None:
    """Raise ValueError for a checkpoint that the training cannot start from, or resume from."""
    named = cfg.checkpoint.restore_file
    path = os.path.join(cfg.checkpoint.save_dir, named) if named == LAST else named
    refuse_missing(SimpleNamespace(cfg=cfg, checkpoint_suffix=""), path)
    if os.path.isfile(path) and isinstance(task, WatchedTask):
        task.check_checkpoint(path)


def examine_decoding(checkpoint: Path, manifest: Path) -> Findings:
    """Do everything that decoding a manifest does before the first clip, and check its data."""
    findings = Findings()
    with logged_warnings(findings), decoding(), findings.collecting():
        _, saved_task = sections(read_mapped(checkpoint))
        task = recognition_task(manifest.parent, saved_task)
        models, saved, _ = checkpoint_utils.load_model_ensemble_and_task([str(checkpoint)], task=task)
        check_decodable(models)
        task.load_dataset(manifest.stem, task_cfg=saved.task)
        check_decoding(task, models[0], trained_on(saved.task), findings)
    return findings


def recognition_task(data: Path, saved: Mapping[str, Any]) -> Any:
    """Build the task with which `fairseq-generate` decodes a folder, for a checkpoint whose task was ``saved``."""
    given = {"_name": RECOGNITION, "data": str(data), "labels": saved.get("labels") or "ltr"}
    root = OmegaConf.create({"common": {"tpu": False, "seed": 1}, "dataset": {"train_subset": "train"}})
    root.task = OmegaConf.merge(OmegaConf.structured(tasks.TASK_DATACLASS_REGISTRY[RECOGNITION]), given)
    return tasks.setup_task(root.task)


class _Collector(logging.Handler):
    def __init__(self, findings: Findings) -> None:
        super().__init__(logging.WARNING)
        self.findings = findings

    def emit(self, record: logging.LogRecord) -> None:
        self.findings.warn(record.getMessage())


@contextmanager
def logged_warnings(findings: Findings) -> Iterator[None]:
    """Context in which this plugin's warnings become findings, and nothing below a warning is logged."""
    log, collector = logging.getLogger(__name__.partition(".")[0]), _Collector(findings)
    before, disabled = log.propagate, logging.root.manager.disable
    log.addHandler(collector)
    log.propagate = False
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(disabled)
        log.removeHandler(collector)
        log.propagate = before
