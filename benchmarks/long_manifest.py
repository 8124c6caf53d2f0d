"""A manifest of the size of Libri-light's: seconds to the first update, and the loader's memory over an epoch."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Iterator, List

import numpy as np
import soundfile
import torch

from data2vec_plugin.data.audio.clips import SeededAudioDataset
from data2vec_plugin.data.sample_seeds import SampleSeeds

LINES = 300_000
FILES = 50
SAMPLES = 32_000
ROOT = Path(__file__).resolve().parents[1]


def write_manifest(folder: Path, name: str, entries: int) -> Path:
    """Lines over fifty short files whose names are as long as Libri-light's."""
    rng = np.random.default_rng(0)
    names = [f"6454/some_long_book_title_64kb_mp3/chapter_{n:04d}_of_the_book_64kb_{n:04d}.wav" for n in range(FILES)]
    for each in names:
        path = folder / each
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            soundfile.write(path, rng.normal(0, 0.1, SAMPLES).astype("float32"), 16_000)
    manifest = folder / name
    manifest.write_text("\n".join([str(folder), *(f"{names[i % FILES]}\t{SAMPLES}" for i in range(entries))]) + "\n")
    return manifest


def seconds_to_first_update(data: Path) -> float:
    """Seconds from the start of the command to the first training line of the log."""
    command = [
        *("fairseq-hydra-train", "--config-dir", "configs", "--config-name", "audio_base", "+size/audio=tiny"),
        *("+run=cpu", f"task.data={data}", "task.min_sample_size=16000", "dataset.max_tokens=160000"),
        *("dataset.disable_validation=true", "optimization.max_update=2", "common.log_interval=1"),
        *("checkpoint.no_save=true", "lr_scheduler.phase_ratio=[0.5,0.0,0.5]"),
    ]
    started = time.monotonic()
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
    log = []
    for line in process.stdout or ():
        log.append(line.decode(errors="replace"))
        if b'"num_updates": "1"' in line:
            seconds = time.monotonic() - started
            process.communicate()
            return seconds
    raise RuntimeError(f"{' '.join(command)} made no update:\n{''.join(log[-15:])}")


def memory_of(pid: int) -> float:
    """Private memory of a process in MiB, which grows with every copied page."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private")) / 1024


def worker_memory(manifest: Path) -> Iterator[float]:
    """MiB of both loader workers together, after each tenth of an epoch of short clips."""
    data = SeededAudioDataset(str(manifest), 16_000, SampleSeeds(1), None)
    batches: List[List[int]] = torch.randperm(LINES).reshape(-1, 100).tolist()
    loader = torch.utils.data.DataLoader(data, batch_sampler=batches, num_workers=2, collate_fn=len)
    iterator = iter(loader)
    pids = [worker.pid for worker in iterator._workers]  # type: ignore[attr-defined]
    for number, _ in enumerate(iterator, start=1):
        if number % (len(batches) // 10) == 0 and number < len(batches):
            yield sum(memory_of(pid) for pid in pids)


def main() -> None:
    """Print both results."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifest = write_manifest(folder, "train.tsv", LINES)
        write_manifest(folder, "valid.tsv", FILES)
        print(f"manifest of {LINES:,} lines")
        print(f"  seconds to the first update  {seconds_to_first_update(folder):6.1f}")
        used = list(worker_memory(manifest))
        print(f"  MiB of two loader workers    {used[0]:6.1f} after a tenth of an epoch, {used[-1]:.1f} after nine")


if __name__ == "__main__":
    main()
