"""Which of fairseq's lines a console for people leaves out."""

import logging
from importlib.util import find_spec

import pytest

from data2vec_plugin.host.watching.chatter import CHATTER, OF_MAIN, is_chatter, reworded


def record(name: str, message: str, level: int = logging.INFO) -> logging.LogRecord:
    return logging.makeLogRecord({"name": name, "msg": message, "levelno": level})


def source_of(name: str) -> str:
    path = __import__(name, fromlist=["x"]).__file__
    with open(path, encoding="utf-8") as file:
        return file.read()


@pytest.mark.parametrize("name", OF_MAIN)
def test_so_does_its_main_branch(name: str) -> None:
    for beginning in OF_MAIN[name]:
        assert is_chatter(record(name, f"{beginning}1"))
    if find_spec("fairseq.tasks.audio_classification") is None:
        pytest.skip("this fairseq is the release")
    text = source_of(name)
    assert all(beginning in text for beginning in OF_MAIN[name])


@pytest.mark.parametrize("name", CHATTER)
def test_fairseq_still_logs_what_is_left_out(name: str) -> None:
    text = source_of(name)
    for beginning in CHATTER[name]:
        assert beginning.partition(" due to num")[0].rstrip("*") in text


def test_only_what_is_known_and_no_warning_is_left_out() -> None:
    assert is_chatter(record("fairseq_cli.train", "Start iterating over samples"))
    assert not is_chatter(record("fairseq_cli.train", "Start iterating over samples", logging.WARNING))
    assert not is_chatter(record("fairseq_cli.train", "done training in 3.0 seconds"))
    assert not is_chatter(record("my_plugin", "Start iterating over samples"))


def test_a_checkpoint_is_told_briefly() -> None:
    line = "Saved checkpoint a b/c.pt (epoch 1 @ 1200 updates, score None) (writing took 5.1e-02 seconds)"
    assert reworded(record("fairseq.checkpoint_utils", line)) == "checkpoint at update 1,200: a b/c.pt (0.1 s)"
    assert reworded(record("x", "anything else")) == "anything else"
