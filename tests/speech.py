"""Small real speech for tests: a corpus that the quickstart's own synthesiser speaks, and plain clips."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Callable, Sequence

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parents[1]


def run(command: Sequence[str], expect: int = 0, cwd: "Path | None" = None) -> str:
    """Run a console command of this environment; returns what it printed, fails on another exit code."""
    code, said = end(command, cwd)
    if code != expect:
        raise AssertionError(f"{' '.join(command)} gave {code}, expected {expect}:\n{said[-4000:]}")
    return said


def end(command: Sequence[str], cwd: "Path | None" = None) -> "tuple[int, str]":
    """A console command's exit code and what it printed."""
    program = Path(sys.executable).parent / command[0]
    words = [str(program), *command[1:]] if program.exists() else list(command)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"  # for commands that start others, as torchrun does
    done = subprocess.run(
        words,
        cwd=cwd,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
        env={**os.environ, "PATH": path},
    )
    return done.returncode, done.stdout


def synthesise(folder: Path, run: Callable[..., str] = run) -> Path:
    """Speak a corpus of about two minutes and list it; returns the folder of manifests and labels."""
    data = folder / "data"
    corpus = folder / "corpus"
    script = ROOT / "examples" / "quickstart" / "synthesise.py"
    sizes = ("--unlabelled-minutes=1.2", "--labelled-minutes=1.2", "--train-voices=2", "--valid-unlabelled-minutes=0.4")
    counts = ("--labelled-voices=2", "--valid-utterances=4", "--test-utterances=6")
    run([sys.executable, str(script), "--out", str(corpus), *sizes, *counts])
    run(["data2vec", "manifest", str(corpus), "--out", str(data)])
    splits = [str(data / f"{split}.tsv") for split in ("train-labelled", "valid", "test")]
    run(["data2vec", "labels", *splits])
    return data


def write_clip(path: Path, samples: int, rate: int = 16_000, channels: int = 1, seed: int = 0) -> Path:
    """A clip of low noise, WAV or FLAC by its ending."""
    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, rng.normal(0, 0.1, (samples, channels)).astype("float32"), rate)
    return path


def write_not_finite(path: Path, samples: int = 8_000) -> Path:
    """A clip whose header is right, and whose samples are NaN."""
    soundfile.write(path, np.full(samples, np.nan, "float32"), 16_000, subtype="FLOAT")
    return path


def write_manifest(path: Path, root: Path, sizes: "dict[str, int]") -> Path:
    """A manifest of files below ``root`` with the given numbers of samples."""
    lines = [str(root), *(f"{name}\t{size}" for name, size in sizes.items())]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
