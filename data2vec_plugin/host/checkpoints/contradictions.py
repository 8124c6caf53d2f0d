"""Contradictions between a recipe for speech and the checkpoint from which it starts, reported with both values."""

from __future__ import annotations

import logging
from typing import Any

from omegaconf import OmegaConf

from ...interop.identify import MULTI
from .recognition_start import build_on_multi, is_on_multi

logger = logging.getLogger(__name__)

OURS = ("data2vec_audio", MULTI)


def build_encoder(stock: Any, encoder: Any, cfg: Any, *args: Any, **kwargs: Any) -> None:
    """``Wav2VecEncoder.__init__``, which `wav2vec_ctc` and `wav2vec_seq2seq` build on a checkpoint.

    It compares ``normalize`` before it builds anything, with an assertion that names neither key nor file, and does
    not look at the sample rate.
    """
    if is_on_multi(cfg):
        build_on_multi(encoder, cfg, *args, **kwargs)
        warn_of_sample_rate(cfg)
        return
    try:
        stock(encoder, cfg, *args, **kwargs)
    except AssertionError as error:
        reason = of_normalisation(cfg)
        if not reason:
            raise
        raise ValueError(reason) from error
    warn_of_sample_rate(cfg)


def warn_of_sample_rate(cfg: Any) -> None:
    """Log a warning if the run has another sample rate than its checkpoint."""
    warning = of_sample_rate(cfg)
    if warning:
        logger.warning(warning)


def of_normalisation(cfg: Any) -> str:
    """Return the error if `task.normalize` differs from a data2vec checkpoint's, else an empty string."""
    trained = _pretrained_task(cfg).get("normalize")
    if trained is None or trained == cfg.normalize:
        return ""
    was, now = str(trained).lower(), str(cfg.normalize).lower()
    return (
        f"`task.normalize` is {now}, but checkpoint {cfg.w2v_path} was trained with `task.normalize: {was}`: add "
        f"`task.normalize={was}`; to continue with clips unlike those of its training, add `+model.normalize={was}`"
    )


def of_sample_rate(cfg: Any) -> str:
    """Return the warning if `task.sample_rate` differs from a data2vec checkpoint's, else an empty string."""
    trained, now = _pretrained_task(cfg).get("sample_rate"), _task(cfg).get("sample_rate")
    if trained is None or now is None or trained == now:
        return ""
    return (
        f"`task.sample_rate` is {now}, but checkpoint {cfg.w2v_path} was trained on {trained} samples per second: "
        f"resample the audio and add `+task.sample_rate={trained}`, or pre-train at the new rate"
    )


def _pretrained_task(cfg: Any) -> Any:
    """The task's configuration in a data2vec checkpoint; empty for other models, which fairseq checks."""
    pretrained = cfg.w2v_args
    if not OmegaConf.is_config(pretrained) or pretrained.model._name not in OURS:
        return {}
    return OmegaConf.to_container(pretrained.task)


def _task(cfg: Any) -> Any:
    """This run's task configuration, through the parent of the model's; empty if there is none."""
    root = cfg.__dict__.get("_parent")
    return OmegaConf.to_container(root.task) if root is not None and "task" in root else {}
