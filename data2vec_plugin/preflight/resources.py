"""Memory, disk space and time of a training, from its configuration and its model."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any, Optional

import torch

from .finding import Findings
from .speech_files import audio_config

GIB = 2.0**30
FRACTION_USED = 0.4
"""Of the speed of a large matrix product, what training reaches; measured on CPUs and GPUs, half and twice occur."""


def state_memory(model: Any, half: bool) -> int:
    """Bytes that one process holds through a run: weights, gradients, Adam's two averages, the teacher."""
    parameters = list(model.parameters())
    weights = sum(p.numel() * p.element_size() for p in parameters)
    trained = sum(p.numel() for p in parameters if p.requires_grad)
    gradients = trained * (2 if half else 4)
    optimizer = trained * 4 * (4 if half else 2)  # with half precision also fp32 weights and gradients
    teacher = getattr(getattr(model, "teacher", None), "fp32", {})
    average = sum(t.numel() * (6 if half else 4) for t in teacher.values())
    return int(weights + gradients + optimizer + average)


def check_memory(model: Any, cfg: Any, findings: Findings) -> None:
    """Compare what a process holds, without activations, with the memory of its device."""
    needed = state_memory(model, is_half(cfg))
    findings.notes.append(memory_line(model, cfg))
    there = device_memory(bool(cfg.common.cpu))
    if there and needed > there:
        findings.warn(
            f"weights, gradients, optimizer and teacher need {needed / GIB:.1f} GiB, and there are {there / GIB:.1f} "
            f"GiB: choose a smaller model, or a machine with more memory"
        )


def memory_line(model: Any, cfg: Any) -> str:
    """What a process holds, for people."""
    return (
        f"memory: {state_memory(model, is_half(cfg)) / GIB:.2f} GiB for weights, gradients, optimizer and teacher; "
        f"activations come on top"
    )


def is_half(cfg: Any) -> bool:
    """Whether a training is in half precision."""
    return bool(cfg.common.fp16 or cfg.common.bf16)


def device_memory(cpu: bool) -> int:
    """Bytes of memory of the GPU, or of the machine; 0 where that is not known."""
    if not cpu and torch.cuda.is_available():
        return int(torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory)
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0


def check_disk(model: Any, cfg: Any, updates: int, epochs: float, findings: Findings) -> None:
    """Compare the checkpoints that a run keeps with the free space of ``checkpoint.save_dir``."""
    if cfg.checkpoint.no_save:
        return
    count, folder = kept_checkpoints(cfg.checkpoint, updates, epochs), existing(Path(cfg.checkpoint.save_dir))
    needed = count * checkpoint_bytes(model, is_half(cfg))
    free = shutil.disk_usage(folder).free
    findings.notes.append(
        f"disk: about {needed / GIB:.2f} GiB for up to {count:,} checkpoints in {cfg.checkpoint.save_dir}, "
        f"{free / GIB:,.1f} GiB are free"
    )
    if needed > free:
        findings.warn(
            f"`checkpoint.save_dir` {cfg.checkpoint.save_dir} has {free / GIB:,.1f} GiB free, and up to {count:,} "
            f"checkpoints need about {needed / GIB:,.1f} GiB: choose another folder, or keep fewer "
            f"(`checkpoint.keep_interval_updates`, `checkpoint.keep_last_epochs`, `checkpoint.no_epoch_checkpoints`)"
        )


def checkpoint_bytes(model: Any, half: bool) -> int:
    """Bytes of one checkpoint: weights, Adam's two averages, the teacher; no gradients."""
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return state_memory(model, half) - trained * (6 if half else 4)


def kept_checkpoints(cfg: Any, updates: int, epochs: float) -> int:
    """How many checkpoints there can be at the end: best, last and the one before, and those of epochs and updates."""
    count = 3 + max(cfg.keep_best_checkpoints, 0)
    if cfg.save_interval_updates > 0:
        written = updates // cfg.save_interval_updates
        count += min(written, cfg.keep_interval_updates) if cfg.keep_interval_updates >= 0 else written
    if not cfg.no_epoch_checkpoints:
        written = int(epochs) // max(cfg.save_interval, 1)
        count += min(written, cfg.keep_last_epochs) if cfg.keep_last_epochs >= 0 else written
    return count


def existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(each for each in (folder.resolve(), *folder.resolve().parents) if each.exists())


def speech_work(model: Any, rate: int) -> Optional[float]:
    """Floating-point operations of training on one second of speech; None for a model of another modality.

    A forward pass costs two for each weight and output, the backward pass twice that, and a teacher another forward.
    """
    audio = audio_config(model)
    if audio is None:
        return None
    length, channels, work, convolutions = float(rate), 1, 0.0, 0
    for dim, kernel, stride in audio.conv_layers:
        length /= stride
        work += 2 * length * dim * channels * kernel
        convolutions += dim * channels * kernel
        channels = dim
    others = sum(p.numel() for p in model.parameters()) - convolutions
    work += 2 * length * max(others, 0)
    return work * (4 if getattr(model, "teacher", None) is not None else 3)


def measured_speed(device: str, half: bool) -> float:
    """Floating-point operations a second of a large matrix product, measured in about a tenth of a second."""
    size = 4096 if device == "cuda" else 768
    matrix = torch.rand(size, size, device=device, dtype=torch.float16 if half and device == "cuda" else torch.float32)
    matrix @ matrix  # the first one sets up the library
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < 0.1:
        matrix @ matrix
        count += 1
        if device == "cuda":
            torch.cuda.synchronize()
    return count * 2.0 * size**3 / (time.perf_counter() - started)


def estimate_time(model: Any, cfg: Any, rate: int, seconds: float, updates: int, findings: Findings) -> None:
    """Note how long a training on speech takes, roughly; ``seconds`` of speech are in an update of one process."""
    work = speech_work(model, rate)
    if work is None or not updates:
        return
    device = "cuda" if not cfg.common.cpu and torch.cuda.is_available() else "cpu"
    took = work * seconds * updates / (measured_speed(device, is_half(cfg)) * FRACTION_USED)
    findings.notes.append(
        f"time: roughly {duration(took)} for {updates:,} updates of {seconds:,.0f} s of speech in each process, from "
        f"this machine's speed just now; it may also be half or twice that"
    )


def duration(seconds: float) -> str:
    """A duration, rounded.

    >>> duration(90), duration(8000), duration(300000)
    ('2 minutes', '2.2 hours', '3.5 days')
    """
    if seconds < 5400:
        return f"{max(round(seconds / 60), 1)} minutes"
    return f"{seconds / 3600:.1f} hours" if seconds < 172800 else f"{seconds / 86400:.1f} days"
