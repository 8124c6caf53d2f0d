"""A bad file that one of two processes meets: both stop, nothing computed is lost, and all processes name the file."""

import json
import re
import sys
from pathlib import Path
from typing import Any, Dict, List

import pytest
import torch
from checkpoint_weights import weights
from end_to_end_commands import noise_command
from forked_commands import run_two
from speech import write_not_finite
from upstream_recipes import write_speech

pytestmark = pytest.mark.xdist_group("stops together")

UPDATES = 7
WORKERS = {3: 0, 4: 2}
"""By seed: the second process meets the bad file with the first of them, and the first one with the second, each in
the third update; fairseq main orders batches otherwise."""
NONE_LEFT_OUT, LEFT_OUT = "+task.bad_audio_limit=0", "+task.bad_audio_limit=1"
VALIDATED = (
    "dataset.disable_validation=false",
    "dataset.validate_interval_updates=2",
    "dataset.valid_subset=dev_other",
)


def command(data: Path, folder: Path, *overrides: str) -> List[str]:
    """Three updates an epoch, each of two micro-batches of two clips for either process."""
    return noise_command(data, folder, UPDATES, "distributed_training.distributed_world_size=2", *overrides)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("together")


@pytest.fixture(scope="module")
def results(folder: Path) -> Dict[str, List[Dict[str, Any]]]:
    """What became of each run, in either process."""
    data = write_speech(folder / "data", count=24)
    for name in ("train7.wav", "dev_other3.wav", "dev_other4.wav"):
        write_not_finite(data / "clips" / name)
    runs = {
        "validation": command(data, folder / "validation", LEFT_OUT, "common.seed=3", *VALIDATED),
        "validation goes on": command(data, folder / "validation", LEFT_OUT, "common.seed=3"),
    }
    for seed in WORKERS:
        settings = (data, folder / f"bad{seed}", f"common.seed={seed}", f"dataset.num_workers={WORKERS[seed]}")
        runs[f"bad {seed}"] = command(*settings, NONE_LEFT_OUT)
        runs[f"goes on {seed}"] = command(*settings, LEFT_OUT)
        runs[f"unbroken {seed}"] = command(data, folder / f"unbroken{seed}", f"common.seed={seed}", LEFT_OUT)
    listed = folder / "runs.jsonl"
    listed.write_text("".join(json.dumps(words) + "\n" for words in runs.values()))
    script = str(Path(__file__).with_name("many_runs.py"))
    said = run_two([sys.executable, script, str(listed)], cwd=folder)
    ends = [json.loads(line[len("RESULT ") :]) for line in said.splitlines() if line.startswith("RESULT ")]
    assert len(ends) == 2 * len(runs)
    return {name: ends[2 * number : 2 * number + 2] for number, name in enumerate(runs)}


def same_weights(first: Path, second: Path) -> bool:
    ours, theirs = weights(first), weights(second)
    return all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize("seed", WORKERS)
def test_both_save_and_name_the_file_and_go_on_exactly(folder: Path, results: Any, seed: int) -> None:
    last = folder / f"bad{seed}" / "checkpoint_last.pt"
    first, second = results[f"bad {seed}"]
    assert first == second
    assert re.match(rf"SharedFileError: process [12] of 2: {folder}/data/train\.tsv:9: .*train7\.wav", first["error"])
    done = first["updates"]
    told = f"All {done} updates are in {last}, from which the same command resumes"
    assert first["error"].endswith(told if done else "There is no checkpoint to resume from")
    assert results[f"goes on {seed}"] == [{"updates": UPDATES, "error": ""}] * 2
    assert f"{done} are done, {UPDATES - done} to go" in (last.parent / "train.log").read_text() or not done
    assert same_weights(last.parent, folder / f"unbroken{seed}")


def test_that_updates_were_there_to_be_lost(results: Any) -> None:
    assert any(results[f"bad {seed}"][0]["updates"] for seed in WORKERS)


def test_so_they_do_in_validation(folder: Path, results: Any) -> None:
    last = folder / "validation" / "checkpoint_last.pt"
    for end in results["validation"]:
        assert re.search(r"SharedFileError: process [12] of 2: .*dev_other\.tsv:\d+: ", end["error"])
        assert end["error"].endswith(f"All 2 updates are in {last}, from which the same command resumes")
    assert results["validation goes on"] == [{"updates": UPDATES, "error": ""}] * 2
    assert same_weights(folder / "validation", folder / "unbroken3")
