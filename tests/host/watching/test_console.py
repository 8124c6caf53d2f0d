"""A run's whole configuration is for its log, not for whoever watches the console."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Iterator

import pytest
from omegaconf import OmegaConf

from data2vec_plugin.host.watching.console import is_configuration_of_ours, log_configuration, quiet_console
from data2vec_plugin.runs.run_log import LOG, RunLog, keep_log


def configuration(user_dir: Any = "data2vec_plugin") -> Any:
    return OmegaConf.create({"common": {"user_dir": user_dir}, "task": {"_name": "t"}, "model": {"_name": "m"}})


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """The root logger with a console and nothing else."""
    stream, root = io.StringIO(), logging.getLogger()
    monkeypatch.setattr(root, "handlers", [logging.StreamHandler(stream)])
    monkeypatch.setattr(root, "level", logging.INFO)
    yield stream
    for handler in root.handlers:
        if isinstance(handler, RunLog):
            handler.close()


def test_it_goes_to_the_runs_log_alone(console: io.StringIO, tmp_path: Path) -> None:
    quiet_console()
    logger = logging.getLogger("fairseq_cli.train")
    logger.info(configuration())
    logger.info("training on 1 devices")
    keep_log(SimpleNamespace(no_save=False, save_dir=str(tmp_path)))
    log_configuration()
    log_configuration()
    assert console.getvalue() == "training on 1 devices\n"
    assert (tmp_path / LOG).read_text().count("'task': {'_name': 't'}") == 1


def test_files_and_runs_that_are_not_ours_keep_it(console: io.StringIO, tmp_path: Path) -> None:
    logging.getLogger().addHandler(logging.FileHandler(tmp_path / "log"))
    quiet_console()
    logging.getLogger("fairseq_cli.train").info(configuration())
    logging.getLogger("fairseq_cli.train").info(configuration("another_plugin"))
    assert console.getvalue().count("'_name': 't'") == 1
    assert (tmp_path / "log").read_text().count("'_name': 't'") == 2


def test_what_a_configuration_is() -> None:
    assert is_configuration_of_ours(configuration())
    assert not is_configuration_of_ours(configuration(None))
    assert not is_configuration_of_ours("a line")
    assert not is_configuration_of_ours({"loss": 1.0})
