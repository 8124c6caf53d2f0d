"""What the console of a run of ours shows: with a format that was asked for, fairseq's lines; else lines for people."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Iterator

import pytest
from omegaconf import OmegaConf
from torch import nn

from data2vec_plugin.host.watching import console as console_module
from data2vec_plugin.host.watching.console import (
    Readable,
    has_colour,
    is_configuration,
    is_readable,
    log_configuration,
    quiet_console,
    set_up_consoles,
)
from data2vec_plugin.runs.run_log import LOG, RunLog, keep_log

TRAIN = logging.getLogger("fairseq_cli.train")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def configuration(user_dir: Any = "data2vec_plugin", log_format: Any = "json") -> Any:
    common = {"user_dir": user_dir, "log_format": log_format}
    return OmegaConf.create({"common": common, "task": {"_name": "t"}, "model": {"_name": "m"}})


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """The root logger with a console and nothing else."""
    stream, root = io.StringIO(), logging.getLogger()
    level = root.level
    monkeypatch.setattr(root, "handlers", [logging.StreamHandler(stream)])
    root.setLevel(logging.INFO)  # not setattr: loggers remember whether they are enabled until it is called
    quiet_console()
    yield stream
    TRAIN.info(configuration("another_plugin"))
    root.setLevel(level)
    for handler in root.handlers:
        if isinstance(handler, RunLog):
            handler.close()


@pytest.mark.parametrize("log_format", ["json", None])
def test_configuration_and_model_go_to_the_runs_log_only(console: io.StringIO, tmp_path: Path, log_format: Any) -> None:
    TRAIN.info(configuration(log_format=log_format))
    TRAIN.info(nn.Linear(3, 5))
    logging.getLogger("fairseq.models.wav2vec.wav2vec2_asr").info(configuration(None))
    logging.getLogger("fairseq.trainer").info("detected shared parameter: a.bias <- b.bias")
    TRAIN.info("done training in 1.0 seconds")
    keep_log(SimpleNamespace(no_save=False, save_dir=str(tmp_path)))
    log_configuration()
    log_configuration()
    assert console.getvalue().splitlines()[0].endswith("done training in 1.0 seconds")
    assert len(console.getvalue().splitlines()) == 1
    log = (tmp_path / LOG).read_text()
    assert log.count("'task': {'_name': 't'}") == 2
    assert log.count("Linear(in_features=3") == log.count("a.bias <- b.bias") == 1


def test_files_and_runs_that_are_not_ours_keep_it(console: io.StringIO, tmp_path: Path) -> None:
    logging.getLogger().addHandler(logging.FileHandler(tmp_path / "log"))
    TRAIN.info(configuration())
    TRAIN.info(configuration("another_plugin"))
    TRAIN.info(nn.Linear(3, 5))
    assert console.getvalue().count("'_name': 't'") == 1
    assert "Linear" in console.getvalue()
    assert (tmp_path / "log").read_text().count("'_name': 't'") == 2


@pytest.mark.parametrize("log_format", ["json", "simple", "tqdm", "none"])
def test_a_format_that_was_asked_for_keeps_fairseqs_lines(console: io.StringIO, log_format: str) -> None:
    logging.getLogger().handlers[0].setFormatter(logging.Formatter(console_module.STOCK_FORMATS[0]))
    TRAIN.info(configuration(log_format=log_format))
    assert not is_readable()
    TRAIN.info("Start iterating over samples")
    assert console.getvalue().endswith(" | INFO | fairseq_cli.train | Start iterating over samples\n")


def test_only_training_and_generation_are_for_people(console: io.StringIO) -> None:
    for command, readable in (("train", True), ("validate", False), ("generate", True)):
        logging.getLogger(f"fairseq_cli.{command}").info(configuration(log_format=None))
        assert is_readable() is readable


def test_lines_for_people_are_short(console: io.StringIO) -> None:
    logging.getLogger().handlers[0].setFormatter(logging.Formatter(console_module.STOCK_FORMATS[1]))
    TRAIN.info(configuration(log_format=None))
    TRAIN.info("Start iterating over samples")
    TRAIN.info("loading %s", "model.pt")
    saved = "Saved checkpoint a/b.pt (epoch 1 @ 1200 updates, score 4.7) (writing took 0.4370560404 seconds)"
    logging.getLogger("fairseq.checkpoint_utils").info(saved)
    logging.getLogger("fairseq.trainer").warning("ran out of memory")
    logging.getLogger("my_corpus").info("12 files")
    TRAIN.info('{"loss": "3"}', extra={"readable": Readable("update 3/12", "  loss 3")})
    TRAIN.info('{"loss": "3"}', extra={"readable": console_module.HIDDEN})
    assert [line.partition("  ")[2] for line in console.getvalue().splitlines()] == [
        "loading model.pt",
        "checkpoint at update 1,200: a/b.pt (0.4 s)",
        "WARNING  ran out of memory",
        "my_corpus: 12 files",
        "update 3/12  loss 3",
    ]


def test_a_format_of_the_users_own_is_kept(console: io.StringIO) -> None:
    logging.getLogger().handlers[0].setFormatter(logging.Formatter("mine: %(message)s"))
    TRAIN.info(configuration(log_format=None))
    TRAIN.info('{"loss": "3"}', extra={"readable": Readable("update 3/12", "  loss 3")})
    TRAIN.info(configuration())
    TRAIN.info("as before")
    assert console.getvalue() == "mine: update 3/12  loss 3\nmine: as before\n"


def test_a_failure_is_told_with_its_traceback(console: io.StringIO) -> None:
    TRAIN.info(configuration(log_format=None))
    try:
        raise ValueError("no such thing")
    except ValueError:
        TRAIN.exception("it failed")
    assert "ERROR  it failed\nTraceback (most recent call last)" in console.getvalue()


def test_terminals_have_colour_unless_nobody_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert has_colour(Terminal(), {})
    assert not has_colour(io.StringIO(), {})
    assert not has_colour(Terminal(), {"NO_COLOR": "1"})
    assert not has_colour(Terminal(), {"TERM": "dumb"})
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    stream = Terminal()
    handler = logging.StreamHandler(stream)
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    set_up_consoles(True)
    record = {"name": "train", "levelno": logging.INFO, "msg": "{}", "readable": Readable("update 3", "  loss 3")}
    handler.handle(logging.makeLogRecord(record))
    assert stream.getvalue().endswith("\033[0m  \033[1mupdate 3\033[0m  loss 3\n")


def test_what_a_configuration_is() -> None:
    assert is_configuration(configuration())
    assert not is_configuration(OmegaConf.create({"common": {}}))
    assert not is_configuration("a line")
    assert not is_configuration({"loss": 1.0})
