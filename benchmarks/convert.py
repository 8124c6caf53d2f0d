"""`data2vec convert` of the published base model, with teacher and optimizer in the file: seconds and peak memory."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List, NamedTuple

import torch
from omegaconf import OmegaConf

from data2vec_plugin.models.data2vec_audio import Data2VecAudioModel

RECIPE = Path(__file__).resolve().parents[1] / "configs" / "audio_base.yaml"
COMMAND = "import sys; from data2vec_plugin.cli.main import main; code = main({arguments!r})"
IMPORTS = "import safetensors.torch, data2vec_plugin.convert.to_hf, data2vec_plugin.convert.from_hf"
# not getrusage, whose maximum a process inherits from its parent
PEAK = "; print([line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')][0])"
MIB = 2**20


class Run(NamedTuple):
    """Seconds and memory of a process."""

    seconds: float
    peak: float  # MiB


def write_checkpoint(path: Path) -> float:
    """Write the checkpoint of a base model, as pre-training saves it; returns the MiB of the student only."""
    section: Dict[str, Any] = OmegaConf.to_container(OmegaConf.load(RECIPE).model)  # type: ignore[assignment]
    section = {**section, "ema_anneal_end_step": 30_000, "max_update": 400_000}
    cfg = OmegaConf.merge(OmegaConf.structured(Data2VecAudioModel.__init__.__annotations__["cfg"]), section)
    model = Data2VecAudioModel.build_model(cfg)
    model.train().set_num_updates(0)
    weights = model.state_dict()
    moments = {
        number: {"step": 1, "exp_avg": torch.zeros_like(parameter), "exp_avg_sq": torch.zeros_like(parameter)}
        for number, parameter in enumerate(model.parameters())
    }
    state = {
        "args": None,
        "cfg": {"model": section, "task": {"_name": "audio_pretraining", "data": "", "normalize": True}},
        "model": weights,
        "optimizer_history": [{"criterion_name": "", "optimizer_name": "", "lr_scheduler_state": {}, "num_updates": 1}],
        "task_state": {},
        "extra_state": {"train_iterator": {"epoch": 1}},
        "last_optimizer_state": {"state": moments, "param_groups": []},
    }
    torch.save(state, path)
    return sum(value.numel() * value.element_size() for value in weights.values() if torch.is_tensor(value)) / MIB


def run(code: str) -> Run:
    """Run a new Python process; the last line of its output is its peak memory."""
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code + PEAK], stdout=subprocess.PIPE, check=True, text=True)
    return Run(time.monotonic() - started, int(done.stdout.split()[-1]) / 1024)


def convert(*arguments: object) -> Run:
    """The command."""
    words: List[str] = ["convert", *map(str, arguments)]
    return run(COMMAND.format(arguments=words))


def main() -> None:
    """Print both directions."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = write_checkpoint(folder / "base.pt")
        idle = run(IMPORTS)
        runs = {
            "to hf": convert(folder / "base.pt", "--to", "hf", "--out", folder / "theirs"),
            "to fairseq": convert(folder / "theirs", "--to", "fairseq", "--out", folder / "back.pt"),
        }
        file = (folder / "base.pt").stat().st_size / MIB
    print(f"data2vec_audio base: {size:.0f} MiB of weights in a checkpoint of {file:.0f}")
    print(f"  imports      {idle.seconds:5.1f} s   {idle.peak:5.0f} MiB")
    for name, (seconds, peak) in runs.items():
        more = peak - idle.peak
        print(
            f"  {name:<12} {seconds:5.1f} s   {peak:5.0f} MiB peak, {peak / size:.2f} x the weights; "
            f"{more:5.0f} beyond imports, {more / size:.2f} x"
        )


if __name__ == "__main__":
    main()
