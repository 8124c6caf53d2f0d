"""Two processes on the CPU, through torchrun and the real fairseq-hydra-train, or forked as torchrun would start them.

`DATA2VEC_PAIRS=10` compares ten pairs of runs, each of another seed.
"""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Dict, List

import pytest
import speech
import torch
from checkpoint_weights import weights
from end_to_end_commands import pretrain_command, run_many
from forked_commands import run, run_two

pytestmark = pytest.mark.xdist_group("processes")

PAIRS = int(os.environ.get("DATA2VEC_PAIRS", "2"))
EXACT = (
    *("model.dropout=0", "model.attention_dropout=0", "model.encoder_layerdrop=0"),
    *("dataset.max_tokens=40000", "dataset.disable_validation=true"),
)

SAVED_LATER = "checkpoint.save_interval_updates=5"


def torchrun(command: List[str], folder: Path) -> str:
    return speech.run(["torchrun", "--standalone", "--nproc_per_node", "2", "--no-python", *command], cwd=folder)


def two(data: Path, folder: Path, updates: int, *overrides: str) -> List[str]:
    world = "distributed_training.distributed_world_size=2"
    return pretrain_command(data, folder, updates, *EXACT, world, *overrides)


def one(data: Path, folder: Path, updates: int, *overrides: str) -> List[str]:
    return pretrain_command(data, folder, updates, *EXACT, "optimization.update_freq=[2]", *overrides)


def largest_difference(first: Dict[str, torch.Tensor], second: Dict[str, torch.Tensor]) -> float:
    assert first.keys() == second.keys()
    return max(float((first[name].double() - second[name].double()).abs().max()) for name in first)


@pytest.fixture(scope="module")
def pairs(speech_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all pairs of runs; each kind of them shares its processes, which spares the imports."""
    folder = tmp_path_factory.mktemp("pairs")
    alone, together = {}, folder / "two.jsonl"
    for number in range(PAIRS):
        settings = (f"dataset.num_workers={2 * (number % 2)}", f"common.seed={number + 1}")
        alone[number] = one(speech_data, folder / f"one{number}", 5, *settings)[1:]
        with together.open("a") as listed:
            listed.write(json.dumps(two(speech_data, folder / f"two{number}", 5, *settings)[1:]) + "\n")
    assert run_many(alone) == {number: {"updates": 5, "error": ""} for number in range(PAIRS)}
    script = str(Path(__file__).with_name("many_runs.py"))
    run_two([sys.executable, script, str(together)], cwd=folder)
    return folder


@pytest.mark.parametrize("number", range(PAIRS))
def test_two_processes_are_one_with_doubled_update_freq(pairs: Path, number: int) -> None:
    ours, theirs = pairs / f"one{number}", pairs / f"two{number}"
    assert "update: 2 processes × 1 micro-batches" in (theirs / "train.log").read_text()
    assert largest_difference(weights(ours), weights(theirs)) < 1e-5
    assert largest_difference(weights(ours), weights(next(ours.glob("checkpoint_*_3.pt")))) > 1e-5


def test_both_ranks_hold_the_same_weights_and_teacher(speech_data: Path, tmp_path: Path) -> None:
    # every rank writes what it holds: fairseq saves on the first one only
    probe = tmp_path / "probe.py"
    probe.write_text(
        "import os, torch\n"
        "from fairseq import trainer\n"
        "from fairseq_cli.hydra_train import cli_main\n"
        "stock = trainer.Trainer.train_step\n"
        "def train_step(self, samples, *args):\n"
        "    output = stock(self, samples, *args)\n"
        "    torch.save({'model': self.get_model().state_dict()}, f\"rank{os.environ['RANK']}.pt\")\n"
        "    return output\n"
        "trainer.Trainer.train_step = train_step\n"
        "cli_main()\n"
    )
    command = two(speech_data, tmp_path / "out", 3)
    run_two([sys.executable, str(probe), *command[1:]], cwd=tmp_path)
    first, second = weights(tmp_path / "rank0.pt"), weights(tmp_path / "rank1.pt")
    assert largest_difference(first, second) == 0


def test_a_run_resumes_on_another_number_of_processes(speech_data: Path, tmp_path: Path) -> None:
    first, more, fewer = tmp_path / "one", tmp_path / "more", tmp_path / "fewer"
    run(one(speech_data, first, 6), cwd=tmp_path)
    more.mkdir()
    shutil.copy(next(first.glob("checkpoint_*_3.pt")), more / "checkpoint_last.pt")
    log = torchrun(two(speech_data, more, 6, SAVED_LATER), tmp_path)
    assert "distributed_backend=gloo, because nccl needs GPUs" in log
    assert "3 are done, 3 to go" in log
    fewer.mkdir()
    shutil.copy(next(more.glob("checkpoint_*_5.pt")), fewer / "checkpoint_last.pt")
    assert "5 are done, 1 to go" in run(one(speech_data, fewer, 6), cwd=tmp_path)
    assert largest_difference(weights(first), weights(more)) < 1e-5
    assert largest_difference(weights(first), weights(fewer)) < 1e-5
