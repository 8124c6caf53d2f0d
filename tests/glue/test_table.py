"""`data2vec glue report`: best of a run, median of seeds, average of tasks, beside what is published."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from glue.runs_folder import Place

from data2vec_plugin.cli.main import main
from data2vec_plugin.glue.scores import read_scores, read_task
from data2vec_plugin.glue.tasks import TASKS


def write_log(out: Path, task: str, seed: int, figures: dict[str, list[float]], done: bool = True) -> None:
    """A run's log: figures of each dev set at updates 10, 20, …"""
    lines = ["$ fairseq-hydra-train", "2026-01-01 10:00:00 | INFO | train_inner | " + json.dumps({"num_updates": "5"})]
    for number in range(1, max(map(len, figures.values()), default=0) + 1):
        for split, values in figures.items():  # all sets of an update before the next one, as fairseq validates
            for value in values[number - 1 : number]:
                stats = {f"{split}_{TASKS[task].metric}": str(value), f"{split}_num_updates": 10 * number}
                lines.append(f"| INFO | {split} | {json.dumps(stats)}")
    lines += ["| INFO | fairseq_cli.train | done training in 9.0 seconds"] * done
    folder = out / task / f"seed{seed}"
    folder.mkdir(parents=True)
    (folder / "console.log").write_text("\n".join(lines) + "\n")


def columns(printed: str, task: str) -> list[str]:
    """The cells of a task's line."""
    line = next(line for line in printed.splitlines() if f" {task} " in line)
    return [cell.strip() for cell in line.replace("\u2502", "|").strip("|").split("|")]


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_all_eight_tasks_from_runs(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert place.run("--seeds", "1-3") == 0
    capsys.readouterr()
    assert main(["glue", "report", str(place.out)]) == 0
    printed = capsys.readouterr().out
    assert columns(printed, "cola") == [
        *("cola", "MCC", "60.2", "3", "60.1–60.3"),
        *("62.2", "60.3", "56.8"),
    ]
    assert columns(printed, "mnli m")[1:5] == ["acc", "80.2", "3", "80.1–80.3"]
    assert columns(printed, "mnli mm")[1:5] == ["acc", "79.2", "3", "79.1–79.3"]  # of two equal ones, the first
    assert columns(printed, "average")[2] == "80.5"
    assert columns(printed, "average")[-3:] == ["82.7", "82.9", "82.5"]
    report = json.loads((place.out / "report.json").read_text())
    assert report["average"] == pytest.approx(
        (60.2 + (80.2 + 79.2) / 2 + 88.2 + 80.2 + 88.2 + 80.2 + 80.2 + 87.2) / 8, abs=1e-3
    )
    assert report["missing"] == []
    assert report["finished"]
    assert report["tasks"]["mnli"]["runs"]["2"] == {
        "score": pytest.approx(79.7),
        "dev_sets": {"valid": 80.2, "valid1": 79.2},
        "update": 20,
        "finished": True,
    }
    assert report["tasks"]["mnli"]["published"]["data2vec"] == pytest.approx(83.1)
    assert (place.out / "report.png").read_bytes()[:4] == b"\x89PNG"


def test_some_tasks_while_runs_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_log(tmp_path, "rte", 1, {"valid": [60.0, 70.5]})
    write_log(tmp_path, "rte", 2, {"valid": [66.0]}, done=False)
    write_log(tmp_path, "rte", 10, {}, done=False)
    write_log(tmp_path, "cola", 1, {}, done=False)
    assert main(["glue", "report", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert columns(printed, "rte")[2:5] == ["68.2*", "2/3", "66.0–70.5"]
    assert columns(printed, "average")[2] == "-"
    assert "no average: cola, mnli, mrpc, qnli, qqp, sst_2, sts_b missing" in printed
    assert "* some of the runs are not complete" in printed
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["average"] is None
    assert report["tasks"]["rte"]["seeds_without_score"] == [10]
    assert not report["finished"]


def test_mnli_is_taken_where_matched_is_best(tmp_path: Path) -> None:
    write_log(tmp_path, "mnli", 1, {"valid": [70.0, 80.0, 79.0], "valid1": [70.0, 75.0, 85.0]})
    write_log(tmp_path, "mnli", 2, {"valid": [70.0, 90.0], "valid1": [71.0]}, done=False)  # between the two
    first, second = read_task(tmp_path, TASKS["mnli"]).runs
    assert (first.score, first.value, first.update) == ((80.0, 75.0), 77.5, 20)
    assert second.score == (70.0, 71.0)


def test_a_score_below_zero_is_a_score(tmp_path: Path) -> None:
    write_log(tmp_path, "cola", 1, {"valid": [-4.0, -2.5]})
    assert read_scores(tmp_path)[0].median == -2.5
    assert main(["glue", "report", str(tmp_path)]) == 0


def test_other_folders_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["glue", "report", str(tmp_path / "none")]) == 1
    assert "no runs here; expected folders such as" in capsys.readouterr().err
    write_log(tmp_path, "rte", 3, {}, done=False)
    assert main(["glue", "report", str(tmp_path)]) == 1
    assert "no run has been validated yet (rte seed 3); see their console.log" in capsys.readouterr().err


def test_a_run_without_its_metric_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_log(tmp_path, "cola", 1, {"valid": [60.0]})
    log = tmp_path / "cola" / "seed1" / "console.log"
    log.write_text(log.read_text().replace("valid_mcc", "valid_accuracy"))
    assert main(["glue", "report", str(tmp_path)]) == 1
    assert "has no `valid_mcc`; train with the recipe's criterion" in capsys.readouterr().err
