"""Statistics on a console for people, through fairseq's own progress bars."""

from __future__ import annotations

import io
import json
import logging
import sys
from types import SimpleNamespace
from typing import Any, Iterator, List

import pytest
from fairseq.logging import progress_bar as fairseq_bars

from data2vec_plugin.host.watching import progress
from data2vec_plugin.host.watching.console import Readable
from data2vec_plugin.host.watching.progress import DecodingBar, Pace, TrainingBar, paced, progress_bar

CFG = SimpleNamespace(optimization=SimpleNamespace(max_epoch=0, max_update=12, update_freq=[2]))
STATS = {"loss": 3.25, "ntokens": 12, "lr": 5e-4, "gnorm": 1.5, "num_updates": 4, "wall": 3}


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch) -> Iterator[List[logging.LogRecord]]:
    """What is logged on a console for people."""
    seen: List[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = seen.append  # type: ignore[method-assign]
    monkeypatch.setattr(progress, "is_readable", lambda: True)
    level = fairseq_bars.logger.level
    fairseq_bars.logger.setLevel(logging.INFO)
    fairseq_bars.logger.addHandler(handler)
    yield seen
    fairseq_bars.logger.removeHandler(handler)
    fairseq_bars.logger.setLevel(level)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Seconds, which a test sets."""
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: now.seconds)
    return now


def bar(size: int = 8, **keys: Any) -> Any:
    return progress_bar(fairseq_bars.progress_bar, range(size), None, log_interval=2, **keys)


def text(record: logging.LogRecord) -> str:
    readable: Readable = record.readable  # type: ignore[attr-defined]
    return readable.head + readable.text


def test_an_interval_is_a_line_for_people_and_json_for_files(records: List[logging.LogRecord], clock: Any) -> None:
    trainer = SimpleNamespace(get_num_updates=lambda: 2)
    with paced(CFG, trainer, range(8)):
        training = bar(epoch=1)
        assert isinstance(training, TrainingBar)
        for _ in zip(range(4), training):
            pass
        clock.seconds = 8.0
        training.log(STATS, tag="train_inner", step=4)
        training.log(STATS, tag="train_inner", step=5)  # within an interval
    (record,) = records
    assert record.name == "train_inner"
    assert json.loads(record.getMessage())["num_updates"] == "4"
    assert text(record) == "update 4/12  loss 3.25  lr 0.0005  gnorm 1.5  4 s/update  0:32 left"


def test_a_validation_and_an_epoch(records: List[logging.LogRecord], clock: Any) -> None:
    trainer = SimpleNamespace(get_num_updates=lambda: 0)
    with paced(CFG, trainer, range(8)):
        epoch = bar(epoch=3)
        next(iter(epoch))
        validation = bar(epoch=3)
        clock.seconds = 4.0
        validation.print({"wer": 12.5, "loss": 3, "best_wer": 11.0}, tag="dev", step=1_200)
        epoch.print(STATS, tag="train", step=1_200)
        epoch.log(STATS, tag="train_inner", step=1_202)
        epoch.print(STATS, tag="train", step=1_202)  # one interval: its line has just been
        bar(epoch=4).print(STATS, tag="train", step=1_203)
        epoch.log(STATS, tag="train_inner", step=1_204)
        epoch.print(STATS, tag="train", step=1_204)
    assert [text(record) for record in records] == [
        "dev at update 1,200  WER 12.5 (best 11)  loss 3",
        "epoch 3 at update 1,200  loss 3.25",
        "update 1,202/12  loss 3.25  lr 0.0005  gnorm 1.5",
        "",
        "",
        "update 1,204/12  loss 3.25  lr 0.0005  gnorm 1.5",
        "epoch 3 at update 1,204  loss 3.25",
    ]
    assert json.loads(records[0].getMessage())["dev_wer"] == "12.5"


def test_validation_counts_for_the_end_not_for_the_speed() -> None:
    pace = Pace(goal=100, done=0, now=0.0)
    pace.pause(5.0)
    assert pace.parts(10, 10.0) == ["2 updates/s", "1:30 left"]
    assert pace.parts(20, 12.0) == ["5 updates/s", "0:48 left"]
    assert pace.parts(100, 20.0) == ["10 updates/s"]
    assert pace.position(1_000) == "update 1,000/100"
    assert Pace(goal=0, done=0, now=0.0).parts(4, 2.0) == ["2 updates/s"]
    assert Pace(goal=0, done=0, now=0.0).position(7) == "update 7"


def test_decoding_tells_how_far_it_is(
    records: List[logging.LogRecord], clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    decoding = bar(size=4)
    assert isinstance(decoding, DecodingBar)
    for _ in decoding:
        clock.seconds += 2.0
        decoding.log({"wps": 12})
    assert [text(record) for record in records] == ["decoded 3/4 batches  0:02 left"]


def test_what_fairseq_chooses_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    stock = fairseq_bars.progress_bar
    monkeypatch.setattr(progress, "is_readable", lambda: False)
    assert isinstance(progress_bar(stock, range(3), None, default_log_format="simple"), fairseq_bars.SimpleProgressBar)
    monkeypatch.setattr(progress, "is_readable", lambda: True)
    for name, kind in (("json", fairseq_bars.JsonProgressBar), ("simple", fairseq_bars.SimpleProgressBar)):
        assert isinstance(progress_bar(stock, range(3), name), kind)
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(isatty=lambda: True, write=len, flush=lambda: None))
    assert isinstance(progress_bar(stock, range(3), None), fairseq_bars.TqdmProgressBar)  # a terminal, decoding
