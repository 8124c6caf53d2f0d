"""What a person at the console need not read: fairseq prints a run's whole configuration, 12,000 characters, in a line.

That of a run of ours goes to its log alone, beside the checkpoints.
"""

from __future__ import annotations

import logging
from typing import Any, Iterator, Optional

from omegaconf import OmegaConf

from ...runs.run_log import RunLog
from ..launching.ours import is_ours

LOGGERS = ("fairseq_cli.train", "fairseq_cli.validate", "fairseq_cli.generate")
"""By which fairseq's commands print it."""


class WithoutConfiguration(logging.Filter):
    """Passes the configuration of a run of ours to log files alone, and keeps it for the one that is opened next."""

    kept: Optional[logging.LogRecord] = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record goes to all handlers."""
        if not is_configuration_of_ours(record.msg):
            return True
        self.kept = record
        for handler in files(record.name):
            handler.handle(record)
        return False


_filter = WithoutConfiguration()


def files(name: str) -> Iterator[logging.FileHandler]:
    """The log files of a logger, and those of all."""
    for logger in (logging.getLogger(name), logging.getLogger()):
        yield from (handler for handler in logger.handlers if isinstance(handler, logging.FileHandler))


def is_configuration_of_ours(message: Any) -> bool:
    """Whether it is fairseq's configuration of a run that names our plugin."""
    return OmegaConf.is_config(message) and "model" in message and is_ours(message)


def quiet_console() -> None:
    """Have fairseq's commands leave it out; harmless when done twice."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_filter)


def log_configuration() -> None:
    """Write what was kept into the run's log, which has been opened since."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, RunLog) and _filter.kept is not None:
            handler.handle(_filter.kept)
    _filter.kept = None
