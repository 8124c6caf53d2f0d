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
