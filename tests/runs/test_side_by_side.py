"""`data2vec report`: any runs side by side, finished or not."""

import json
from pathlib import Path
from typing import Dict

import matplotlib
import pytest

from data2vec_plugin.cli.main import main
from data2vec_plugin.runs.curves import draw
from data2vec_plugin.runs.reading import distinct_names, read_runs


def write_log(folder: Path, losses: Dict[int, float], wer: Dict[int, float], cut: bool = False) -> Path:
    folder.mkdir(parents=True)
    lines = [json.dumps({"loss": loss, "target_var": 0.5, "num_updates": str(n)}) for n, loss in losses.items()]
    lines += [json.dumps({"dev_wer": str(rate), "dev_num_updates": str(n)}) for n, rate in wer.items()]
    text = "\n".join(lines)
    (folder / "train.log").write_text(text + ('\n{"loss": "3.' if cut else "\n"))
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> "list[Path]":
    first = write_log(tmp_path / "sweep" / "a" / "out", {10: 4.0, 20: 3.0}, {20: 91.0, 40: 62.5, 60: 70.0})
    going_on = write_log(tmp_path / "sweep" / "b" / "out", {10: 5.0}, {}, cut=True)
    return [first, going_on]


def test_table_and_picture(
    runs: "list[Path]", tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    picture = tmp_path / "drawn" / "report.png"
    assert main(["report", *map(str, runs), "--out", str(picture)]) == 0
    printed = capsys.readouterr().out
    assert "a/out" in printed
    assert "62.5 @ 40" in printed
    assert "pred_var" not in printed  # neither run has it
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_a_run_that_goes_on_has_what_it_has_logged(runs: "list[Path]") -> None:
    first, second = read_runs(runs)
    assert (first.updates, first.last("loss"), first.best("valid/wer")) == ("60", "3", "62.5 @ 40")
    assert (second.updates, second.last("loss"), second.best("valid/wer")) == ("10", "5", "-")


def write_splits(folder: Path, rates: Dict[str, Dict[str, float]]) -> Path:
    """A log of one update that was validated on several splits, with these statistics of each."""
    folder.mkdir(parents=True)
    lines = [{"loss": 4, "num_updates": "200"}]
    for split, stats in rates.items():
        lines.append({f"{split}_{name}": value for name, value in {**stats, "num_updates": 200}.items()})
    (folder / "train.log").write_text("\n".join(map(json.dumps, lines)))
    return folder


def printed_and_drawn(
    runs: "list[Path]", capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> "tuple[str, str]":
    """What the command prints, and the text of its picture."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setitem(matplotlib.rcParams, "svg.fonttype", "none")  # text as text
    picture = runs[0] / "report.svg"
    assert main(["report", *map(str, runs), "--out", str(picture)]) == 0
    return capsys.readouterr().out, picture.read_text()


def test_runs_are_compared_on_a_split_that_all_have_and_that_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    both = write_splits(tmp_path / "both", {"dev-clean": {"wer": 11.5}, "dev-other": {"wer": 22.5}})
    one = write_splits(tmp_path / "one", {"dev-other": {"wer": 20.5}})
    young = write_splits(tmp_path / "young", {})
    printed, drawn = printed_and_drawn([young, both, one], capsys, monkeypatch)
    assert "best valid WER (dev-other)" in printed
    assert "22.5 @ 200" in printed
    assert "20.5 @ 200" in printed
    assert "11.5" not in printed
    assert "validation WER (%) (dev-other)" in drawn
    assert "not validated" not in printed


def test_a_run_without_the_others_split_is_not_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clean = write_splits(tmp_path / "clean", {"dev-clean": {"wer": 11.5}})
    other = write_splits(tmp_path / "other", {"dev-other": {"wer": 22.5}})
    printed, _ = printed_and_drawn([clean, other], capsys, monkeypatch)
    assert "best valid WER (dev-clean)" in printed
    assert "22.5" not in printed
    assert "other is not validated on dev-clean, but on dev-other" in printed


def test_the_best_value_is_a_finite_one(tmp_path: Path) -> None:
    folder = write_log(tmp_path / "run", {10: 4.0}, {200: float("nan"), 400: 3.0, 600: float("-inf")})
    lost = write_log(tmp_path / "lost", {10: 4.0}, {200: float("nan")})
    first, second = read_runs([folder, lost])
    assert first.best("valid/wer") == "3 @ 400"
    assert second.best("valid/wer") == "nan"


def test_a_name_that_begins_with_an_underscore_is_in_the_legend(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = write_log(tmp_path / "_new", {10: 4.0, 20: 3.0}, {})
    _, drawn = printed_and_drawn([hidden, write_log(tmp_path / "old", {10: 4.0}, {})], capsys, monkeypatch)
    assert ">_new<" in drawn
    assert ">old<" in drawn


def test_the_accuracy_of_classifiers_is_told_and_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [
        {"valid_accuracy": each, "valid_accuracy_top5": each + 20, "valid_num_updates": n}
        for n, each in ((10, 40.5), (20, 61.5), (30, 55))
    ]
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "train.log").write_text("\n".join(map(json.dumps, lines)))
    speech = write_log(tmp_path / "speech", {10: 4.0}, {20: 50.0})
    printed, drawn = printed_and_drawn([pictures, speech], capsys, monkeypatch)
    assert "best valid accuracy" in printed
    assert "61.5 @ 20" in printed
    assert "81.5 @ 20" in printed
    assert "validation accuracy (%); dotted: among the first five" in drawn
    assert "50 @ 20" in printed  # of another split, under a heading of its own
    printed, drawn = printed_and_drawn([speech], capsys, monkeypatch)
    assert "best valid accuracy" not in printed
    assert "validation accuracy" not in drawn


def test_a_run_that_has_only_begun_is_named_beside_the_others(
    runs: "list[Path]", tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    young = write_log(tmp_path / "young", {}, {})
    monkeypatch.setenv("COLUMNS", "160")
    picture = tmp_path / "report.svg"
    monkeypatch.setitem(matplotlib.rcParams, "svg.fonttype", "none")  # text as text
    assert main(["report", str(young), *map(str, runs), "--out", str(picture)]) == 0
    [row] = [line for line in capsys.readouterr().out.splitlines() if "young" in line]
    assert "nothing logged yet" in row
    assert "young: nothing logged yet" in picture.read_text()


def test_runs_of_which_none_has_begun_are_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    young = [str(write_log(tmp_path / name, {}, {})) for name in ("a", "b")]
    assert main(["report", *young, "--out", str(tmp_path / "report.png")]) == 1
    error = capsys.readouterr().err
    assert "a/train.log" in error
    assert "b/train.log: nothing logged yet" in error
    assert not (tmp_path / "report.png").exists()


def test_epochs_shorter_than_the_logs_interval_are_drawn_by_their_ends(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    closing = [json.dumps({"train_loss": str(5 - n), "train_num_updates": str(n)}) for n in (2, 4)]
    log.write_text("\n".join(closing))
    [only] = read_runs([tmp_path])
    assert (only.updates, only.last("loss"), only.best("valid/loss")) == ("4", "1", "-")
    draw([only], tmp_path / "report.png")
    log.write_text("\n".join([*closing, json.dumps({"loss": "7", "num_updates": "3"})]))
    [only] = read_runs([tmp_path])
    assert only.last("loss") == "7"


def test_names_are_as_short_as_they_can_be() -> None:
    assert distinct_names([Path("/x/a/out"), Path("/x/b/out")]) == ["a/out", "b/out"]
    assert distinct_names([Path("/x/a"), Path("/x/b")]) == ["a", "b"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing"], "no such log"),
        ([".", "--names", "a"], "has no train.log"),
        ([".", "--names", "a", "b"], "2 names for 1 runs"),
    ],
)
def test_bad_input_is_told_in_a_line(
    arguments: "list[str]",
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["report", *arguments]) == 1
    assert message in capsys.readouterr().err
