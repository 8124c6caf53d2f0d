"""How far a command is, read from the log that it writes."""

from pathlib import Path

import pytest
from runs.log_lines import log_lines

from data2vec_plugin.runs.following import LiveLine, LogTail, last_lines


def test_progress_is_one_line_per_tenth_without_a_terminal(capsys: pytest.CaptureFixture) -> None:
    live = LiveLine("train", 1000)
    for line in log_lines(1000, loss=50.0).splitlines():
        live.feed(line)
    live.feed("a line without statistics")
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 11
    assert said[-1].startswith("  train: update 1000/1000  loss 0.05  ")
    assert said[-1].endswith("  valid loss 0.0505 at 990")


def test_a_value_that_is_older_than_the_line_says_of_which_update_it_is() -> None:
    live = LiveLine("train", 100)
    valid, train = log_lines(10, wer=400.0).splitlines()[1], log_lines(20, loss=40.0).splitlines()[2]
    for line in (valid, train):
        live.feed(line)
    assert live.text(20) == "  train: update 20/100  loss 2  0:00  about 0:00 left  valid WER 40 at 10"
    live.feed(log_lines(10, loss=30.0).splitlines()[0])  # the next job of a sweep
    assert live.text(10) == "  train: update 10/100  loss 3  0:00"


def test_half_a_line_waits_for_its_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"before\n")
    tail = LogTail(log, log.stat().st_size)
    said = []
    for piece in (b"", b"one\ntw", b"o\nd\xe9j", b"a\n"):
        with log.open("ab") as file:
            file.write(piece)
        said.append(tail.lines())
    assert said == [[], ["one"], ["two"], ["d\ufffdja"]]
    assert last_lines(log, 2) == ["two", "d\ufffdja"]
