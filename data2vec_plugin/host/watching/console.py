"""What the console shows of a data2vec training or `fairseq-generate`; log files get everything.

fairseq prints the whole configuration (12,000 characters in a line) and the whole model: these go to log files only. If
`common.log_format` is not set, the console is for people: short lines, statistics as text (see :mod:`.progress`), and
nothing of what fairseq logs about its own steps (see :mod:`.chatter`). With `common.log_format=json`, or any other
format, all other lines are fairseq's own.
"""

from __future__ import annotations

import copy
import logging
import os
from typing import Any, Iterator, List, NamedTuple, Optional

from omegaconf import OmegaConf
from torch import nn

from ...runs.run_log import RunLog
from ..launching.ours import is_ours
from .chatter import is_chatter, reworded

FOR_PEOPLE = ("fairseq_cli.train", "fairseq_cli.generate")
"""The loggers of commands whose console is for people."""
LOGGERS = (*FOR_PEOPLE, "fairseq_cli.validate", "fairseq.trainer", "fairseq.models.wav2vec.wav2vec2_asr")
"""Those that log configurations, models and parameters."""
STOCK_FORMATS = (
    "%(asctime)s | %(levelname)s | %(name)s | %(message)s",
    "[%(asctime)s][%(name)s][%(levelname)s] - %(message)s",
)
"""fairseq's and hydra's: a console with one of these has not been configured by the user."""
OURS = ("data2vec_plugin", "data2vec_compat", "fairseq", "fairseq_cli")
SHARED = "detected shared parameter: "
"""fairseq logs it for every bias that is None, too."""

DIM, BOLD, GREEN, YELLOW, RED = 2, 1, 32, 33, 31
COLOURS = {logging.WARNING: YELLOW, logging.ERROR: RED, logging.CRITICAL: RED}


class Readable(NamedTuple):
    """What the console shows in place of a record: ``head`` in a colour, then ``text``; without a head, nothing."""

    head: str
    text: str = ""
    colour: int = BOLD


HIDDEN = Readable("")


class FileOnly(logging.Filter):
    """Passes a run's configuration and model to log files only, and keeps them for the log that is opened next."""

    def __init__(self) -> None:
        super().__init__()
        self.ours = self.readable = False
        """Whether the last started run is a data2vec run, and whether its console is for people."""
        self.kept: List[logging.LogRecord] = []

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record goes to all handlers."""
        if is_configuration(record.msg) and record.name.startswith("fairseq_cli."):
            self._begin(record)
        if not (self.ours and is_for_files(record)):
            return True
        self.kept.append(record)
        for handler in files(record.name):
            handler.handle(record)
        return False

    def _begin(self, record: logging.LogRecord) -> None:
        """Start a command's run; a command logs its configuration once, before it does anything."""
        cfg: Any = record.msg
        self.kept.clear()
        self.ours = is_ours(cfg)
        self.readable = self.ours and record.name in FOR_PEOPLE and cfg.common.get("log_format") is None
        set_up_consoles(self.readable)


class ReadableFormatter(logging.Formatter):
    """Writes a line for people: time, level from warnings on, text; a format chosen by the user is kept."""

    def __init__(self, chosen: Optional[logging.Formatter], colour: bool) -> None:
        self.chosen, self.colour = chosen, colour
        super().__init__(f"{self._paint('%(asctime)s', DIM)}  %(message)s", "%m-%d %H:%M:%S")
        self.is_stock = chosen is None or chosen._fmt in STOCK_FORMATS

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        readable = getattr(record, "readable", None) or Readable(reworded(record), colour=0)
        shown = copy.copy(record)
        shown.args = ()
        if not self.is_stock and self.chosen is not None:
            shown.msg = readable.head + readable.text
            return self.chosen.format(shown)
        shown.msg = self._paint(readable.head, readable.colour) + readable.text
        if record.levelno >= logging.WARNING:
            shown.msg = f"{self._paint(record.levelname, COLOURS.get(record.levelno, RED))}  {shown.msg}"
        if record.name.partition(".")[0] not in OURS and not hasattr(record, "readable"):
            shown.msg = f"{record.name}: {shown.msg}"
        return super().format(shown)

    def _paint(self, text: str, colour: int) -> str:
        return f"\033[{colour}m{text}\033[0m" if self.colour and colour and text else text


def passes(record: logging.LogRecord) -> bool:
    """Whether a console for people shows a record."""
    readable: Optional[Readable] = getattr(record, "readable", None)
    return bool(readable.head) if readable is not None else not is_chatter(record)


def set_up_consoles(readable: bool) -> None:
    """Make the consoles of the root logger show lines for people, or restore their own format."""
    for handler in logging.getLogger().handlers:
        if type(handler) is not logging.StreamHandler:  # a file, or a user's handler
            continue
        if isinstance(handler.formatter, ReadableFormatter):
            handler.setFormatter(handler.formatter.chosen)
            handler.removeFilter(passes)
        if readable:
            handler.setFormatter(ReadableFormatter(handler.formatter, has_colour(handler.stream, os.environ)))
            handler.addFilter(passes)


def has_colour(stream: Any, environment: Any) -> bool:
    """Whether to write a stream in colour: a terminal that has them, unless NO_COLOR (no-color.org) is set."""
    if environment.get("NO_COLOR") or environment.get("TERM") == "dumb":
        return False
    return bool(getattr(stream, "isatty", lambda: False)())


_file_only = FileOnly()


def is_readable() -> bool:
    """Whether the console of the command that runs is for people."""
    return _file_only.readable


def files(name: str) -> Iterator[logging.FileHandler]:
    """Yield the handlers of log files of a logger, and those of the root logger."""
    for logger in (logging.getLogger(name), logging.getLogger()):
        yield from (handler for handler in logger.handlers if isinstance(handler, logging.FileHandler))


def is_configuration(message: Any) -> bool:
    """Whether a message is fairseq's configuration of a whole run."""
    return bool(OmegaConf.is_config(message) and "model" in message and "common" in message)


def is_for_files(record: logging.LogRecord) -> bool:
    """Whether a record is a whole configuration or model, or is about shared parameters."""
    message: Any = record.msg
    if isinstance(message, str):
        return message.startswith(SHARED)
    return isinstance(message, (nn.Module, dict)) or OmegaConf.is_config(message)


def quiet_console() -> None:
    """Add the filter of data2vec runs to the loggers of fairseq's commands; safe to call twice."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_file_only)


def log_configuration() -> None:
    """Write the kept records into the run's log, which has been opened since."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, RunLog):
            for record in _file_only.kept:
                handler.handle(record)
    _file_only.kept.clear()
