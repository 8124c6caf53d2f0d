"""An update of data2vec 2.0 compared with upstream's on fairseq `main`, in separate processes that take turns.

UPSTREAM is a checkout of fairseq main, UPSTREAM_PYTHON an interpreter that can run it (Python 3.10 with omegaconf 2.0,
hydra-core 1.0, timm 0.4.12 and, for counts to be comparable, the same torch). Sizes: the recorded cases, which have
weights, inputs and masks; with `BENCH_SIZE=base` the published base models on short batches, with random weights.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, List

import torch
from safetensors.torch import save_file

HERE = Path(__file__).resolve().parent
CASES = HERE.parent / "tests" / "fixtures" / "parity"
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "9"))
SIZE = os.environ.get("BENCH_SIZE", "tiny")
UPDATES = {"tiny": 10, "base": 1}
"""In a turn: what the other process left in the caches matters for the first of several short ones."""
BASE: Dict[str, Dict[str, Any]] = {
    "v2_audio": {
        "embed_dim": 768,
        "num_heads": 12,
        "depth": 12,
        "average_top_k_layers": 12,
        "clone_batch": 8,
        "attention_dropout": 0.1,
        "encoder_dropout": 0.1,
        "post_mlp_drop": 0.1,
    },
    "v2_image": {"embed_dim": 768, "num_heads": 12, "depth": 10, "average_top_k_layers": 10, "clone_batch": 16},
    "v2_text": {"embed_dim": 768, "num_heads": 12, "depth": 12, "average_top_k_layers": 12, "clone_batch": 8},
}


class Worker:
    """A process that executes one command after the other."""

    def __init__(self, kind: str, files: List[str]) -> None:
        python = sys.executable if kind == "ours" else os.environ["UPSTREAM_PYTHON"]
        path = str(HERE.parent) if kind == "ours" else os.environ["UPSTREAM"]
        self.process = subprocess.Popen(
            [python, "-W", "ignore", str(HERE / "multi_worker.py"), kind, *files],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        self.about = self.answer()

    def answer(self) -> Dict[str, Any]:
        """The next line; raises RuntimeError if the process has ended."""
        line = self.process.stdout.readline()  # type: ignore[union-attr]
        if not line:
            raise RuntimeError(f"{' '.join(map(str, self.process.args))} has ended")  # type: ignore[arg-type]
        found: Dict[str, Any] = json.loads(line)
        return found

    def do(self, command: str) -> Dict[str, Any]:
        """Send a command."""
        self.process.stdin.write(command + "\n")  # type: ignore[union-attr]
        self.process.stdin.flush()  # type: ignore[union-attr]
        return self.answer()


def files_of(case: str, folder: Path) -> List[str]:
    """Configuration, inputs and, for the recorded size, weights."""
    source = CASES / case
    if SIZE == "tiny":
        return [str(source / name) for name in ("config.json", "inputs.safetensors", "state.safetensors")]
    cfg = json.loads((source / "config.json").read_text())["model"]
    cfg.update(BASE[case])
    copies, generator = cfg["clone_batch"], torch.Generator().manual_seed(1)
    ((name, keys),) = cfg["modalities"].items()
    keys.update(num_alibi_heads=12, model_depth=cfg["depth"], prenet_depth=2 if name == "image" else 0)
    decoder = {"audio": (384, 16, 7, 4), "image": (768, 16, 3, 6), "text": (768, 1, 9, 5)}[name]
    keys["decoder"].update(zip(("decoder_dim", "decoder_groups", "decoder_kernel", "decoder_layers"), decoder))
    if name == "audio":
        keys["feature_encoder_spec"] = "[(512, 10, 5)] + [(512, 3, 2)] * 4 + [(512, 2, 2)] * 2"
        source_input, width, share = torch.randn(2, 160_000, generator=generator), 499, 0.5
    elif name == "image":
        keys.update(input_size=224, patch_size=16, embed_dim=768)
        source_input, width, share = torch.randn(4, 3, 224, 224, generator=generator), 196, 0.8
    else:
        keys["max_source_positions"] = 512
        source_input, width, share = torch.randint(4, 50_000, (2, 256), generator=generator), 256, 0.48
    hidden = torch.rand(len(source_input) * copies, width, generator=generator).argsort(1) < round(share * width)
    save_file({"source": source_input, "mask": hidden.to(torch.uint8)}, folder / "inputs.safetensors")
    (folder / "config.json").write_text(json.dumps({"model": cfg}))
    return [str(folder / "config.json"), str(folder / "inputs.safetensors")]


def main() -> None:
    """Print medians and their ratios, kernels and bytes of each modality."""
    if not {"UPSTREAM", "UPSTREAM_PYTHON"} <= set(os.environ):
        print("multi_update compares with upstream: set UPSTREAM and UPSTREAM_PYTHON (see benchmarks/multi_update.py)")
        return
    for case in BASE:
        with tempfile.TemporaryDirectory() as folder:
            files = files_of(case, Path(folder))
            workers = {kind: Worker(kind, files) for kind in ("ours", "upstream")}
            seconds: Dict[str, List[float]] = {kind: [] for kind in workers}
            for number in range(ROUNDS + 2):
                for kind, worker in workers.items():
                    answer = worker.do(f"update {UPDATES[SIZE]}")
                    if number >= 2:
                        seconds[kind].append(answer["seconds"])
            medians = {kind: statistics.median(values) for kind, values in seconds.items()}
            counts = {kind: {**worker.do("kernels"), **worker.do("bytes")} for kind, worker in workers.items()}
            for worker in workers.values():
                worker.process.stdin.close()  # type: ignore[union-attr]
        torches = {kind: worker.about["torch"] for kind, worker in workers.items()}
        print(f"{case} {SIZE}, torch {torches}")
        ratio = medians["upstream"] / medians["ours"]
        print(f"  upstream {medians['upstream']:.4f} s, ours {medians['ours']:.4f} s: {ratio:.2f} x")
        for what in ("kernels", "bytes"):
            theirs, own = (counts[kind][what] for kind in ("upstream", "ours"))
            print(f"  {what}: upstream {theirs:,}, ours {own:,}: {own / theirs:.2f}")


if __name__ == "__main__":
    main()
