"""data2vec 1 and 2.0 by the same quickstart: what is compared, over wall time, and what is not."""

import argparse
import json
from pathlib import Path
from typing import Any, Dict

import pytest
from runs.log_lines import log_lines

from data2vec_plugin.runs.quickstart import options_of_methods, settle_folders
from data2vec_plugin.runs.training_log import Series
from data2vec_plugin.runs.two_methods import Measure, by_seconds, compare_methods, difference

WER = Measure("WER", "wer", "valid/wer")
FIRST = Path("outputs/quickstart")


def write_run(folder: Path, method: int, wer: float, **settings: Any) -> Dict[str, Any]:
    """The logs of a quickstart and what it reports."""
    (folder / "logs").mkdir(parents=True)
    for stage in ("pretrain", "finetune", "scratch"):
        lines = log_lines(40, unexplained=20.0, target_var=20.0, wer=900.0, wall=0.0).splitlines()
        timed = [line.replace('"wall": "0.0"', f'"wall": "{number * 3 * method}"') for number, line in enumerate(lines)]
        (folder / "logs" / f"{stage}.log").write_text("\n".join(timed) + "\n")
    report = {
        "wer_pretrained": wer,
        "wer_scratch": 70.0,
        "updates_pretraining": 40,
        "seconds_by_stage": {"pretrain": 100.0 / method},
        "settings": {"method": method, "seed": 1, "pretraining": ("x",) * method, "finetuning": ("y",), **settings},
    }
    (folder / "report.json").write_text(json.dumps(report))
    return report


def parsed(*words: str) -> argparse.Namespace:
    args = options_of_methods("Does it.", FIRST).parse_args(words)
    settle_folders(args, FIRST)
    return args


def test_each_method_has_its_folder_and_finds_that_of_the_other() -> None:
    first, second = parsed(), parsed("--method", "2")
    assert (first.out, first.beside) == (FIRST, Path("outputs/quickstart2"))
    assert (second.out, second.beside) == (Path("outputs/quickstart2"), FIRST)
    own = parsed("--method", "2", "--out", "mine")
    assert (own.out, own.beside) == (Path("mine"), None)
    assert parsed("--out", "mine", "--beside", "other").beside == Path("other")


@pytest.mark.parametrize("mine", [1, 2])
def test_both_methods_are_in_the_report_and_in_one_picture(
    tmp_path: Path, mine: int, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    other = 3 - mine
    report = write_run(tmp_path / "mine", mine, 40.0 + mine)
    write_run(tmp_path / "other", other, 40.0 + other)
    compare_methods(tmp_path / "mine", tmp_path / "other", report, WER)
    assert report["methods"] == {
        "1": {"wer_pretrained": 41.0, "wer_scratch": 70.0, "seconds_pretraining": 100.0},
        "2": {"wer_pretrained": 42.0, "wer_scratch": 70.0, "seconds_pretraining": 50.0},
    }
    assert (tmp_path / "mine" / "methods.png").read_bytes().startswith(b"\x89PNG")
    said = capsys.readouterr().out
    assert "data2vec 2.0" in said
    assert "41.0 %" in said


def test_a_report_of_before_is_of_the_first_method(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    report, before = write_run(tmp_path / "mine", 2, 42.0), write_run(tmp_path / "other", 1, 41.0)
    del before["settings"]["method"]
    (tmp_path / "other" / "report.json").write_text(json.dumps(before))
    compare_methods(tmp_path / "mine", tmp_path / "other", report, WER)
    assert list(report["methods"]) == ["1", "2"]


def test_other_settings_are_not_compared_and_one_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = write_run(tmp_path / "mine", 2, 42.0)
    write_run(tmp_path / "other", 1, 41.0, labelled_minutes=9)
    compare_methods(tmp_path / "mine", tmp_path / "other", report, WER)
    assert list(report["methods"]) == ["2"]
    assert "is not compared: its `labelled_minutes` is 9, here it is None" in capsys.readouterr().out
    assert not (tmp_path / "mine" / "methods.png").exists()


def test_the_same_method_twice_is_no_comparison() -> None:
    assert difference({"method": 2, "seed": 1}, {"method": 2, "seed": 1}) == "it is also of data2vec 2.0"
    assert difference({"method": 2, "finetuning": ("a",)}, {"method": 1, "finetuning": ["a"]}) == ""


def test_alone_a_method_reports_itself(tmp_path: Path) -> None:
    report = write_run(tmp_path / "mine", 2, 42.0)
    compare_methods(tmp_path / "mine", tmp_path / "none", report, WER)
    assert list(report["methods"]) == ["2"]


def test_curves_over_seconds_lie_between_the_times_that_are_logged() -> None:
    curves = {
        "train_inner/wall": Series((10, 20), (30.0, 50.0)),
        "valid/wer": Series((5, 15, 20, 25), (90.0, 80.0, 70.0, 60.0)),
    }
    assert by_seconds(curves)["valid/wer"] == ((15.0, 40.0, 50.0, 50.0), (90.0, 80.0, 70.0, 60.0))
    assert by_seconds({"valid/wer": curves["valid/wer"]}) == {}
