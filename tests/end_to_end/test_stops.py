"""Runs that stop by themselves: nothing computed is lost, and what was left out is named at the end."""

from pathlib import Path
from typing import Any, Dict

import pytest
import torch
from checkpoint_weights import weights
from end_to_end_commands import noise_command, run_many
from speech import write_not_finite
from upstream_recipes import write_speech

pytestmark = pytest.mark.xdist_group("upstream recipes")

UPDATES = 8
NOT_FINITE = ("train7.wav", "train19.wav")
"""No header shows that, so the check before the run does not find them."""
COLLAPSED = (
    *("+model.min_target_var=100", "+criterion.collapse_start=0"),
    *("+task.bad_audio_limit=2", "checkpoint.save_interval_updates=2"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stops")


@pytest.fixture(scope="module")
def results(folder: Path) -> Dict[str, Any]:
    data = write_speech(folder / "data", count=24)
    for name in NOT_FINITE:
        write_not_finite(data / "clips" / name)
    runs = {
        "bad file": noise_command(data, folder / "bad", UPDATES, "+task.bad_audio_limit=1"),
        "other batches": noise_command(
            data, folder / "bad", UPDATES, "+task.bad_audio_limit=2", "dataset.max_tokens=32000"
        ),
        "goes on": noise_command(data, folder / "bad", UPDATES, "+task.bad_audio_limit=2"),
        "again": noise_command(data, folder / "bad", UPDATES, "+task.bad_audio_limit=2"),
        "collapse": noise_command(data, folder / "collapsed", UPDATES, "+criterion.collapse_patience=4", *COLLAPSED),
        "regardless": noise_command(data, folder / "collapsed", UPDATES, "+criterion.collapse_patience=0", *COLLAPSED),
        "unbroken": noise_command(
            data, folder / "unbroken", UPDATES, "+task.bad_audio_limit=2", "dataset.num_workers=2"
        ),
    }
    return run_many(runs)


def test_the_files_left_out_are_named_once_more_when_the_process_ends(folder: Path, results: Dict[str, Any]) -> None:
    assert results["unbroken"] == {"updates": UPDATES, "error": ""}
    at_the_end = (folder / "unbroken" / "train.log").read_text().split("done training")[1].splitlines()[1:]
    at_the_end = [line for line in at_the_end if "Failed to read" not in line]  # fairseq main's own, of a worker
    trained = [name for name, result in results.items() if result["updates"]]
    assert len(at_the_end) == len(trained)  # one line for the data of each run of this process, none of the workers'
    for line in at_the_end:
        assert "skipped so far: 2 of 24 files" in line
        assert all(name in line for name in NOT_FINITE)


def test_a_bad_file_costs_no_update_and_skips_no_clip(folder: Path, results: Dict[str, Any]) -> None:
    done, error = results["bad file"]["updates"], results["bad file"]["error"]
    assert 0 < done < UPDATES
    assert error.startswith("AudioFileError: ")
    assert "`task.bad_audio_limit` = 1" in error
    assert error.endswith(
        f"All {done} updates are in {folder}/bad/checkpoint_last.pt, from which the same command resumes"
    )
    assert results["goes on"] == {"updates": UPDATES, "error": ""}
    log = (folder / "bad" / "train.log").read_text()
    assert f"{done} are done, {UPDATES - done} to go" in log
    first, second = weights(folder / "unbroken"), weights(folder / "bad")
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_position_within_an_epoch_is_no_other_batches(folder: Path, results: Dict[str, Any]) -> None:
    assert results["other batches"]["updates"] == 0
    error = results["other batches"]["error"]
    assert error.startswith("BatchesChangedError: ")
    assert "of 12 batches of an epoch, which now has 6" in error


def test_a_finished_run_that_is_started_again_leaves_its_checkpoint(folder: Path, results: Dict[str, Any]) -> None:
    assert results["again"] == {"updates": 0, "error": ""}
    log = (folder / "bad" / "train.log").read_text()
    before, told, after = log.partition("nothing is left to do: 8 updates are made")
    assert told
    assert before.rindex("Saved checkpoint") < before.rindex("done training")
    assert "Saved checkpoint" not in after
    assert "done training" in after


def test_a_collapse_saves_its_updates_and_keeps_the_checkpoint_before(folder: Path, results: Dict[str, Any]) -> None:
    error = results["collapse"]["error"]
    assert error.startswith("CollapseError: training has collapsed: target_var is ")
    assert f"All 5 updates are in {folder}/collapsed/checkpoint_last.pt" in error
    before = folder / "collapsed" / "checkpoint_before_collapse.pt"
    assert f"`checkpoint.restore_file={before}` goes back" in error
    saved = torch.load(before, weights_only=False)
    assert saved["optimizer_history"][-1]["num_updates"] == 4
    assert results["regardless"] == {"updates": UPDATES, "error": ""}
    assert "5 are done, 3 to go" in (folder / "collapsed" / "train.log").read_text()
