"""Curves from fairseq's logs, as its console and its log file write them."""

import json
from pathlib import Path

import pytest

from data2vec_plugin.cli.training_log import Series, parse_line, read_curves, read_training_log


def inner(update: int, loss: str) -> str:
    stats = {"epoch": 1, "update": 0.5, "loss": loss, "num_updates": str(update), "lr": "0.0005"}
    return json.dumps(stats)


def closing(update: int, wer: str, split: str = "valid") -> str:
    return json.dumps({"epoch": 1, f"{split}_wer": wer, f"{split}_num_updates": str(update)})


def test_console_and_file_give_the_same_curves(tmp_path: Path) -> None:
    lines = [
        inner(10, "2.5"),
        inner(20, "1.5"),
        closing(20, "91.2"),
        closing(20, "80", "dev_other"),
    ]
    head = "2026-01-01 10:00:00 | INFO | "
    console = [f"{head}train_inner | {line}" for line in lines]
    other = [f"{head}fairseq_cli.train | {{'num_updates': None}}", "Traceback {num_updates", ""]
    (tmp_path / "console.log").write_text("\n".join(other + console))
    (tmp_path / "file.log").write_text("\n".join(lines))
    curves = read_training_log(tmp_path / "console.log")
    assert curves == read_training_log(tmp_path / "file.log")
    assert curves["train_inner/loss"] == Series((10, 20), (2.5, 1.5))
    assert curves["valid/wer"] == Series((20,), (91.2,))
    assert curves["dev_other/wer"] == Series((20,), (80.0,))


def test_a_resumed_run_counts_its_last_line(tmp_path: Path) -> None:
    lines = [inner(10, "2"), inner(20, "9"), inner(30, "9"), inner(20, "1.5"), inner(20, "1.5")]
    (tmp_path / "log").write_text("\n".join(lines))
    series = read_training_log(tmp_path / "log")["train_inner/loss"]
    assert series == Series((10, 20, 30), (2.0, 1.5, 9.0))


def test_values_that_are_no_numbers_are_left_out() -> None:
    entry = parse_line(json.dumps({"num_updates": "5", "loss": "nan", "loss_scale": None}))
    assert entry is not None
    assert entry.update == 5
    assert set(entry.stats) == {"num_updates", "loss"}
    assert parse_line('{"num_updates": null}') is None
    assert parse_line('["num_updates", {}]') is None


def test_a_log_without_statistics_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such log"):
        read_training_log(tmp_path / "none.log")
    (tmp_path / "plain.log").write_text("epoch 001 | loss 3.2\n")
    with pytest.raises(ValueError, match=r"plain\.log: no statistics; .*log_format=json"):
        read_training_log(tmp_path / "plain.log")


@pytest.mark.parametrize("line", ["001:  10 / 20 loss=3.2, num_updates=10", "001 | valid | loss 3 | num_updates 10"])
def test_curves_of_a_run_that_has_only_begun_are_none_and_of_another_format_refused(tmp_path: Path, line: str) -> None:
    log = tmp_path / "train.log"
    log.write_text("{'num_updates': None}\nbegin training epoch 1\n")
    assert read_curves(log) == {}
    log.write_text(f"epoch {line}\n")
    with pytest.raises(ValueError, match=r"train\.log: its statistics are no JSON; .*log_format=json"):
        read_curves(log)


def test_fairseq_writes_what_this_reads(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")  # as fairseq sets it for its commands
    progress_bar = pytest.importorskip("fairseq.logging.progress_bar")
    log = tmp_path / "run.log"
    bar = progress_bar.progress_bar([0, 1], log_format="json", log_interval=1, log_file=str(log), epoch=1)
    for index, _ in enumerate(bar, 1):
        bar.log({"loss": 1 / index, "num_updates": index}, tag="train_inner", step=index)
    bar.print({"loss": 0.25, "num_updates": 2}, tag="valid", step=2)
    curves = read_training_log(log)
    assert curves["train_inner/loss"] == Series((1, 2), (1.0, 0.5))
    assert curves["valid/loss"] == Series((2,), (0.25,))
