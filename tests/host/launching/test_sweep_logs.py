"""Trainings that follow one another in a process: what the first one opened does not take in the second one's."""

import logging
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Dict, Iterator, List, Optional

import pytest

from data2vec_plugin.host.launching import training

OURS = SimpleNamespace(common=SimpleNamespace(user_dir="data2vec_plugin"))
THEIRS = SimpleNamespace(common=SimpleNamespace(user_dir="theirs"))
progress_bar = pytest.importorskip("fairseq.logging.progress_bar")


class Wandb(SimpleNamespace):
    """What fairseq and we use of W&B, with its rule: a process has one run, which `init` gives again."""

    def __init__(self) -> None:
        super().__init__(run=None, config=SimpleNamespace(update=lambda values: None))
        self.runs: List[Dict[str, Any]] = []

    def init(self, project: str, reinit: bool, name: Optional[str]) -> None:
        if self.run is None:
            self.run = {"project": project, "name": name, "exit_code": None, "steps": []}
            self.runs.append(self.run)

    def log(self, stats: Dict[str, Any], step: int) -> None:
        self.run["steps"].append(step)

    def finish(self, exit_code: int) -> None:
        self.run["exit_code"] = exit_code
        self.run = None


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> Wandb:
    stub = Wandb()
    monkeypatch.setitem(sys.modules, "wandb", stub)
    monkeypatch.setattr(progress_bar, "wandb", stub)
    return stub


@pytest.fixture(autouse=True)
def stock_bars(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(progress_bar, "_tensorboard_writers", {})
    yield
    for writer in progress_bar._tensorboard_writers.values():
        writer.close()


def trainer(**keys: Any) -> Callable[..., None]:
    """fairseq's training, cut down to its two epochs of progress bars, as `fairseq_cli.train` makes them."""

    def main(name: str, fails: bool = False, **more: Any) -> None:
        log_file = more.get("log_file")
        if log_file is not None:
            module.logger.addHandler(logging.FileHandler(log_file))
        module.logger.warning(f"begin {name}")
        for epoch in (1, 2):
            bar = progress_bar.progress_bar(
                [0], log_format="simple", log_interval=1, epoch=epoch, wandb_run_name=name, **keys, **more
            )
            bar.print({"loss": 1.0, "num_updates": epoch}, tag="train", step=epoch)
        if fails:
            raise RuntimeError("out of memory")

    def of_ours(cfg: Any, *args: Any, **more: Any) -> None:
        main(*args, **more)

    module: Any = stub(of_ours)
    return lambda *args, **more: module.main(OURS, *args, **more)


def stub(main: Callable[..., None]) -> Any:
    """`fairseq_cli.train` with another training in it, and with what surrounds ours."""

    def save_checkpoint() -> None:
        """What fairseq remembers is an attribute of its function."""

    module: Any = SimpleNamespace(
        main=main,
        progress_bar=progress_bar,
        logger=logging.getLogger("cut.down"),
        checkpoint_utils=SimpleNamespace(save_checkpoint=save_checkpoint),
        should_stop_early=lambda: None,
    )
    assert training.surround(module)
    return module


def test_each_training_of_a_process_draws_into_its_own_folder(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    train = trainer()
    for name in ("a", "b"):
        train(name, tensorboard_logdir=str(tmp_path / name))
    assert [len(list((tmp_path / name / "train").iterdir())) for name in ("a", "b")] == [1, 1]


def test_each_training_is_a_run_of_wandb(wandb: Wandb) -> None:
    train = trainer(wandb_project="speech")
    train("a")
    with pytest.raises(RuntimeError):
        train("b", fails=True)
    train("c")
    assert [run["project"] for run in wandb.runs] == ["speech"] * 3
    assert [run["name"] for run in wandb.runs] == ["a", "b", "c"]
    assert [run["steps"] for run in wandb.runs] == [[1, 2]] * 3
    assert [run["exit_code"] for run in wandb.runs] == [0, 1, None]


def test_a_run_of_wandb_that_was_there_before_is_left_open(wandb: Wandb) -> None:
    wandb.init("mine", reinit=False, name="agent")
    train = trainer(wandb_project="speech")
    train("a")
    train("b")
    assert [(run["name"], run["exit_code"]) for run in wandb.runs] == [("agent", None)]


def test_a_log_file_holds_each_line_of_its_own_training_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    train = trainer()
    for name in ("a", "b"):
        train(name, log_file=str(tmp_path / name))
    for name in ("a", "b"):
        lines = (tmp_path / name).read_text().splitlines()
        assert [line.split(" | ")[0] for line in lines] == [f"begin {name}", "epoch 001", "epoch 002"]


def test_other_peoples_log_files_stay_open(tmp_path: Path) -> None:
    mine = logging.FileHandler(tmp_path / "mine")
    progress_bar.logger.addHandler(mine)
    before = list(progress_bar.logger.handlers)
    try:
        trainer()("a", log_file=str(tmp_path / "a"))
        assert progress_bar.logger.handlers == before
    finally:
        progress_bar.logger.removeHandler(mine)
        mine.close()


def test_each_training_of_a_process_begins_without_a_best_score() -> None:
    from fairseq_cli import train

    seen: List[Any] = []
    module = stub(lambda cfg: seen.append(getattr(module.checkpoint_utils.save_checkpoint, "best", None)))
    module.should_stop_early = train.should_stop_early
    for cfg in (OURS, THEIRS):
        module.checkpoint_utils.save_checkpoint.best = 0.1
        module.main(cfg)
    assert seen == [None, 0.1]


def test_trainings_of_others_are_surrounded_by_nothing(tmp_path: Path, wandb: Wandb) -> None:
    """Writers, runs and log files that they leave open stay open, also when a training of ours comes next."""
    path = str(tmp_path / "log")
    log = logging.FileHandler(path)

    def main(cfg: Any) -> None:
        if cfg is THEIRS:
            module.logger.addHandler(log)
            wandb.init("theirs", reinit=False, name="run")
            for _ in range(2):
                progress_bar.progress_bar([0], log_format="simple", log_file=path)
                progress_bar._tensorboard_writers["theirs"] = SimpleNamespace(close=lambda: None)

    module = stub(main)
    try:
        for cfg in (THEIRS, OURS):
            module.main(cfg)
        assert log in module.logger.handlers
        assert "theirs" in progress_bar._tensorboard_writers
        assert wandb.run["exit_code"] is None
        assert [getattr(each, "baseFilename", "") for each in progress_bar.logger.handlers].count(path) == 2
    finally:
        for logger in (module.logger, progress_bar.logger):
            for handler in [each for each in logger.handlers if isinstance(each, logging.FileHandler)]:
                logger.removeHandler(handler)
                handler.close()
