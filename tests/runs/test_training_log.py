"""Curves from fairseq's logs, as its console and its log file write them."""

import json
from pathlib import Path

import pytest

from data2vec_plugin.runs.training_log import Series, parse_line, read_curves, read_training_log


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


def test_what_a_resumed_run_does_again_counts_once(tmp_path: Path) -> None:
    before = [inner(10, "2"), closing(10, "95"), inner(20, "9"), closing(20, "99"), inner(30, "9"), closing(30, "98")]
    log = tmp_path / "log"
    log.write_text("\n".join([*before, inner(20, "1.5"), inner(20, "1.25")]))
    curves = read_training_log(log)
    assert curves["train_inner/loss"] == Series((10, 20), (2.0, 1.25))
    assert curves["valid/wer"] == Series((10,), (95.0,))


def test_validation_of_an_update_that_is_trained_again_is_forgotten(tmp_path: Path) -> None:
    """The log ends with the same update, so that only the order within it says that the run went back."""
    before = [inner(10, "2"), inner(20, "9"), closing(20, "99"), closing(20, "98", "dev_other")]
    log = tmp_path / "log"
    log.write_text("\n".join([*before, inner(20, "1.5"), closing(20, "91")]))
    curves = read_training_log(log)
    assert curves["train_inner/loss"] == Series((10, 20), (2.0, 1.5))
    assert curves["valid/wer"] == Series((20,), (91.0,))
    assert "dev_other/wer" not in curves


def test_a_run_that_begins_anew_in_the_same_folder_is_the_only_one(tmp_path: Path) -> None:
    old = [entry for n in range(1, 7) for entry in (inner(n, "8"), closing(n, "50"))]
    log = tmp_path / "log"
    log.write_text("\n".join([*old, inner(1, "9"), inner(2, "8.5"), closing(2, "70")]))
    curves = read_training_log(log)
    assert curves["train_inner/loss"] == Series((1, 2), (9.0, 8.5))
    assert curves["valid/wer"] == Series((2,), (70.0,))


def test_values_that_are_no_numbers_are_left_out() -> None:
    entry = parse_line(json.dumps({"num_updates": "5", "loss": "nan", "loss_scale": None}))
    assert entry is not None
    assert entry.update == 5
    assert set(entry.stats) == {"num_updates", "loss"}
    assert parse_line('{"num_updates": null}') is None
    assert parse_line('["num_updates", {}]') is None


@pytest.mark.parametrize("counter", ['"inf"', '"nan"', "1e400", "9" * 400], ids=["inf", "nan", "1e400", "400 digits"])
def test_a_count_of_updates_that_is_none_is_passed_over(counter: str) -> None:
    assert parse_line(f'{{"num_updates": {counter}, "loss": "3"}}') is None


def test_a_log_without_statistics_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such log"):
        read_training_log(tmp_path / "none.log")
    (tmp_path / "plain.log").write_text("epoch 001 | loss 3.2\n")
    with pytest.raises(ValueError, match=r"plain\.log: no statistics; .*log_format=json"):
        read_training_log(tmp_path / "plain.log")


@pytest.mark.parametrize(
    "line",
    [
        "epoch 001:  10 / 20 loss=3.2, num_updates=10",
        "epoch 001 | valid | loss 3 | num_updates 10",
        "11-29 19:21:05  update 1,200/400,000  loss 3.2",
    ],
)
def test_curves_of_a_run_that_has_only_begun_are_none_and_of_another_format_refused(tmp_path: Path, line: str) -> None:
    log = tmp_path / "train.log"
    log.write_text("{'num_updates': None}\nbegin training epoch 1\n")
    assert read_curves(log) == {}
    log.write_text(f"{line}\n")
    with pytest.raises(ValueError, match=r"train\.log: its statistics are no JSON: .*log_format=json"):
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
