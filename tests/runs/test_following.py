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
    assert said[-1].startswith("  train: update 1000/1000  loss 0.05  valid loss 0.05")


def test_a_value_that_is_older_than_the_line_says_of_which_update_it_is() -> None:
    live = LiveLine("train", 100)
    valid, train = log_lines(10, wer=400.0).splitlines()[1], log_lines(20, loss=40.0).splitlines()[2]
    for line in (valid, train):
        live.feed(line)
    assert "valid WER 40 (update 10)  loss 2  " in live.text(20)


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
