"""What a run says of itself, on trainers cut down to what is asked of them."""

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Iterator, List

import pytest
import torch
from fairseq.trainer import Trainer
from host.tiny_trainer import Model
from models.tiny_text import trainer_state
from omegaconf import OmegaConf

from data2vec_plugin.host.checkpoints.resuming import CheckpointMismatchError
from data2vec_plugin.host.examining import before_runs
from data2vec_plugin.host.examining.before_runs import SWITCH
from data2vec_plugin.host.training import trainer as module
from data2vec_plugin.host.training.trainer import Data2VecTrainer, build_trainer
from data2vec_plugin.host.watching.plan import goal_updates
from data2vec_plugin.host.watching.task import Extent, NonFiniteError, WatchedTask
from data2vec_plugin.preflight.finding import Findings
from data2vec_plugin.preflight.resources import state_memory
from data2vec_plugin.runs.run_log import RunLog

SAMPLE = {"net_input": {"source": torch.zeros(3, 1600)}, "id": torch.tensor([4, 8, 15])}


class StockTask:
    def train_step(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")

    valid_step = train_step


class Task(WatchedTask, StockTask):
    def extent(self, dataset: Any, indices: Any) -> Extent:
        return Extent(len(indices) / 100, "hours of speech", len(indices), "clips")

    def dataset(self, split: str) -> Any:
        return range(13_000)


class Batches:
    """A process has a 16th of an epoch's batches, which hold 12,960 samples of the 13,000."""

    frozen_batches = tuple([3 * number, 3 * number + 1, 3 * number + 2] for number in range(4_320))

    def __len__(self) -> int:
        return 270


class CutDown(Data2VecTrainer):
    """Ours, on a part of what fairseq's own needs."""

    data_parallel_rank, data_parallel_world_size = 0, 16
    checkpoint_suffix = ""
    model = torch.nn.Linear(100, 10)

    def __init__(self, task: Any, cfg: Any) -> None:
        self.task, self.cfg = task, cfg

    def get_model(self) -> Any:
        return self.model

    def get_num_updates(self) -> int:
        return 10_000

    def get_lr(self) -> float:
        return 0.0005


Make = Callable[..., Any]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The 15 other processes find nothing to tell."""
    gathered = "data2vec_plugin.host.watching.together.distributed_utils.all_gather_list"
    monkeypatch.setattr(gathered, lambda told, *_, **__: [told, *[""] * 15])


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes a trainer; fairseq's own methods below it raise ``error`` in an update, ``loading`` as they load."""

    def make(task: Any, cfg: Any, error: Any = None, loading: Any = None) -> Any:
        def train_step(self: Any, samples: Any) -> Any:
            if error is not None:
                raise error
            return {}

        def load_checkpoint(self: Any, filename: str, reset_optimizer: bool) -> Any:
            if loading == "fits":
                return {"epoch": 1}
            raise loading or Exception(f"Cannot load model parameters from checkpoint {filename}; please ensure")

        monkeypatch.setattr(Trainer, "get_train_iterator", lambda self: Batches())
        monkeypatch.setattr(Trainer, "train_step", train_step)
        monkeypatch.setattr(Trainer, "load_checkpoint", load_checkpoint)
        return CutDown(task, cfg)

    return make


def checkpoint(folder: Path) -> Any:
    choice = {"best_checkpoint_metric": "loss", "maximize_best_checkpoint_metric": False}
    choice["restore_file"] = "checkpoint_last.pt"
    return SimpleNamespace(save_dir=str(folder), no_save=False, **choice)


def config(folder: Path, **optimization: Any) -> Any:
    return SimpleNamespace(
        dataset=SimpleNamespace(train_subset="train", max_tokens=3_800_000, batch_size=None),
        optimization=SimpleNamespace(**{"max_update": 400_000, "max_epoch": 0, "update_freq": [2], **optimization}),
        checkpoint=checkpoint(folder),
        common=SimpleNamespace(fp16=False, bf16=False, cpu=True),
        model=SimpleNamespace(_name="data2vec_audio"),
    )


@pytest.fixture(autouse=True)
def root_logger(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(SWITCH, "0")  # these runs have no data sets to look at
    yield
    for handler in [h for h in logging.getLogger().handlers if isinstance(h, RunLog)]:
        logging.getLogger().removeHandler(handler)
        handler.close()


def test_the_plan_says_data_update_run_and_memory(
    trainer: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    run = trainer(Task(), config(tmp_path))
    run.get_train_iterator()
    run.get_train_iterator()
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 6
    assert lines.pop(0) == "model: data2vec_audio, 1,010 parameters, all trained; fp32 on CPU"
    assert lines.pop() == f"log: {tmp_path / 'train.log'}, with the whole configuration, the model, and all statistics"
    assert lines[0] == (
        "data: 129.60 hours of speech in 12,960 clips (train); 40 more are left out, too short or too long"
    )
    assert "16 processes × 2 micro-batches of at most 3,800,000 tokens" in lines[1]
    assert "0.96 hours of speech on average; 135 updates an epoch" in lines[1]
    assert lines[2].startswith("run: 400,000 updates, 2,963.0 epochs")
    assert lines[2].endswith("10,000 are done, 390,000 to go")
    assert (tmp_path / "train.log").read_text().count("INFO") == 6


def test_a_run_that_would_keep_its_worst_checkpoint_is_warned(
    trainer: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = config(tmp_path)
    settings.checkpoint.best_checkpoint_metric = "accuracy"
    trainer(StockTask(), settings).get_train_iterator()
    assert not caplog.records, "a task of somebody else's"
    run = trainer(Task(), settings)
    run.get_train_iterator()
    run.get_train_iterator()
    (warning,) = (record for record in caplog.records if record.levelno == logging.WARNING)
    assert "Add `checkpoint.maximize_best_checkpoint_metric=true`" in warning.getMessage()
    assert warning.getMessage() in (tmp_path / "train.log").read_text()


def test_a_run_starts_with_its_preflight_checks(trainer: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(task: Any, model: Any, cfg: Any, findings: Findings) -> None:
        findings.refuse("the disk is full")

    monkeypatch.setattr(before_runs, "check_training", check)
    trainer(Task(), config(tmp_path)).get_train_iterator()
    monkeypatch.setenv(SWITCH, "1")
    with pytest.raises(ValueError, match="the disk is full"):
        trainer(Task(), config(tmp_path)).get_train_iterator()


def test_epochs_may_end_a_run_first() -> None:
    cfg = config(Path(), max_epoch=3)
    assert goal_updates(cfg, 100) == 300
    assert goal_updates(config(Path(), max_epoch=3, max_update=0), 100) == 300
    assert goal_updates(config(Path(), max_epoch=9_000), 100) == 400_000


def test_weights_gradients_and_adam_are_counted(trainer: Make) -> None:
    run = trainer(Task(), config(Path()))
    assert state_memory(run.get_model(), half=False) == 1_010 * 4 * 4


def test_the_next_run_of_a_process_writes_its_own_log(trainer: Make, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        trainer(Task(), config(tmp_path / name)).get_train_iterator()
        logging.getLogger().warning("this is %s", name)
    assert "this is b" not in (tmp_path / "a" / "train.log").read_text()
    assert "this is b" in (tmp_path / "b" / "train.log").read_text()


def test_gradients_that_are_not_finite_name_the_knobs_and_the_batch(trainer: Make) -> None:
    run = trainer(Task(), config(Path()), error=FloatingPointError("gradients are Nan/Inf"))
    with pytest.raises(NonFiniteError, match=r"update 10001 \(lr 0\.0005\); batch \(3, 1600\), samples 4, 8, 15.*`opt"):
        run.train_step([SAMPLE])


def test_a_model_of_ours_under_other_peoples_tasks_names_them_too(
    trainer: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    run = trainer(StockTask(), config(Path()), error=FloatingPointError("gradients are Nan/Inf"))
    run.get_train_iterator()
    with pytest.raises(NonFiniteError):
        run.train_step([SAMPLE])
    assert not caplog.records


class Ours(Model):
    """As if it were of the package."""


Ours.__module__ = "data2vec_plugin.models.tiny"


@pytest.mark.parametrize(
    ("task", "model", "ours"),
    [
        (Task(), Model(), True),
        (StockTask(), Ours(), True),
        (StockTask(), torch.nn.Sequential(torch.nn.Linear(1, 1), Ours()), True),
        (StockTask(), Model(), False),
    ],
    ids=["task", "model", "part of the model", "neither"],
)
def test_a_run_has_our_trainer_where_task_or_model_is_ours(
    task: Any, model: Any, ours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Data2VecTrainer, "__init__", lambda self, *args: None)
    built = build_trainer(lambda *args: args, "cfg", task, model, "criterion", None)
    assert isinstance(built, Data2VecTrainer) == ours
    assert ours or built == ("cfg", task, model, "criterion", None)


@pytest.mark.parametrize("cuda", [False, True])
def test_only_a_cpu_keeps_freed_memory(cuda: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: List[bool] = []
    monkeypatch.setattr(Trainer, "__init__", lambda self: setattr(self, "cuda", cuda))
    monkeypatch.setattr(module, "keep_freed_memory", lambda: kept.append(True))
    Data2VecTrainer()
    assert kept == ([] if cuda else [True])


def test_out_of_memory_describes_the_batch(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(RuntimeError, match="out of memory"):
        Task().train_step(SAMPLE, None, None)
    assert "batch (3, 1600), samples 4, 8, 15" in caplog.text
    assert "`dataset.max_tokens`" in caplog.text


def test_so_it_does_in_validation(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(RuntimeError, match="out of memory"):
        Task().valid_step(SAMPLE, None, None)
    assert "batch (3, 1600), samples 4, 8, 15. Try this: lower `dataset.max_tokens_valid`" in caplog.text


def test_so_it_does_once_when_the_optimizer_finds_no_memory(
    trainer: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    error = torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
    run = trainer(Task(), config(tmp_path), error=error)
    for _ in range(2):  # the second time it has been described, as in the task's own step
        with pytest.raises(torch.cuda.OutOfMemoryError):
            run.train_step([SAMPLE, SAMPLE])
    (record,) = caplog.records
    assert record.getMessage().count("batch (3, 1600), samples 4, 8, 15") == 2
    with pytest.raises(torch.cuda.OutOfMemoryError):
        trainer(StockTask(), config(tmp_path), error=torch.cuda.OutOfMemoryError("out of memory")).train_step([SAMPLE])
    assert caplog.records == [record]


def test_so_it_does_on_a_cpu(caplog: pytest.LogCaptureFixture) -> None:
    class Greedy:
        def train_step(self, *args: Any) -> Any:
            return torch.empty(1 << 60)

    with pytest.raises(RuntimeError, match=r"allocate|not enough"):
        type("GreedyTask", (WatchedTask, Greedy), {})().train_step(SAMPLE, None, None)
    assert "out of memory; batch (3, 1600), samples 4, 8, 15" in caplog.text


def test_what_is_counted_has_no_decimals() -> None:
    assert str(Extent(1_281_167, "pictures", 1_000, "folders")) == "1,281,167 pictures in 1,000 folders"


def test_memory_is_said_after_the_first_update(trainer: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    run = trainer(Task(), config(tmp_path))
    run.train_step([SAMPLE])
    run.train_step([SAMPLE])
    assert len(caplog.records) == 1
    assert "GiB at the peak of the first update" in caplog.text


def test_a_checkpoint_of_another_size_is_told(trainer: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairseq.checkpoint_utils.load_checkpoint_to_cpu", torch.load)
    path = tmp_path / "checkpoint_last.pt"
    torch.save({"model": torch.nn.Linear(50, 10).state_dict()}, path)
    with pytest.raises(
        CheckpointMismatchError, match=r"last\.pt: .*another size: `weight` is \(10, 50\) in it and \(10, 1"
    ):
        trainer(Task(), config(tmp_path)).load_checkpoint(str(path))
    with pytest.raises(Exception, match="Cannot load model parameters"):
        trainer(StockTask(), config(tmp_path)).load_checkpoint(str(path))


def test_a_checkpoint_that_fits_may_be_refused_by_the_task(
    trainer: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: List[str] = []
    monkeypatch.setattr(Task, "check_checkpoint", lambda _, path: seen.append(path))
    for task in (Task(), StockTask()):
        assert trainer(task, config(tmp_path), loading="fits").load_checkpoint("last.pt") == {"epoch": 1}
    assert seen == ["last.pt"]


@pytest.mark.parametrize(
    ("name", "key", "words"),
    [
        (
            "run/checkpoint_last.pt",
            "",
            r"To start a new run, choose another `checkpoint\.save_dir`; to resume, use the",
        ),
        (
            "run/pretrained.pt",
            "finetune_from_model",
            r"It is `checkpoint\.finetune_from_model`: use .* or another checkpoint$",
        ),
        ("pretrained.pt", "continue_once", r"It is `checkpoint\.continue_once`: use the size"),
        ("pretrained.pt", "restore_file", r"It is `checkpoint\.restore_file`: use the size"),
    ],
)
def test_a_model_that_was_given_is_named_by_its_key_and_left_alone(
    trainer: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, key: str, words: str
) -> None:
    monkeypatch.setattr("fairseq.checkpoint_utils.load_checkpoint_to_cpu", torch.load)
    path = tmp_path / name
    (tmp_path / "run").mkdir()
    torch.save({"model": torch.nn.Linear(50, 10).state_dict()}, path)
    settings = config(tmp_path / "run")
    setattr(settings.checkpoint, key or "restore_file", str(path) if key else "checkpoint_last.pt")
    with pytest.raises(CheckpointMismatchError, match=rf"another size: .*\. {words}") as raised:
        trainer(Task(), settings).load_checkpoint(str(path))
    assert "delete" not in str(raised.value)


@pytest.mark.parametrize(
    ("saved", "error", "words"),
    [
        (
            {"cfg": {"model": {"_name": "wav2vec2"}}, "model": {}},
            Exception("Cannot load model parameters from checkpoint"),
            r"it is of model `wav2vec2` \(wav2vec 2\.0\); this run trains `data2vec_audio`",
        ),
        (
            {"cfg": {"model": {"_name": "data2vec_multi"}}, "model": {}},
            Exception("Cannot load model parameters from checkpoint"),
            r"of model `data2vec_multi` \(data2vec 2\.0 for .*\); this run trains `data2vec_audio`",
        ),
        ({"fc.weight": torch.ones(1)}, KeyError("best_loss"), "it is 1 weights without a configuration"),
        ({"state": {}, "param_groups": []}, KeyError("best_loss"), "it is the state of an optimizer"),
    ],
    ids=["wav2vec2", "second", "weights", "optimizer"],
)
def test_a_checkpoint_of_something_else_is_told(
    trainer: Make, tmp_path: Path, saved: Any, error: Exception, words: str
) -> None:
    path = tmp_path / "other.pt"
    torch.save({**trainer_state({}, {}), **saved} if "cfg" in saved else saved, path)
    settings = config(tmp_path)
    settings.model = SimpleNamespace(_name="data2vec_audio")
    with pytest.raises(CheckpointMismatchError, match=rf"cannot resume from .*other\.pt: .*{words}"):
        trainer(Task(), settings, loading=error).load_checkpoint(str(path))


def test_an_error_that_is_not_the_checkpoints_stays_itself(trainer: Make, tmp_path: Path) -> None:
    path = tmp_path / "ours.pt"
    torch.save(trainer_state({"model": {"_name": "data2vec_audio"}}, {}), path)
    with pytest.raises(KeyError, match="elsewhere"):
        trainer(Task(), config(tmp_path), loading=KeyError("elsewhere")).load_checkpoint(str(path))


@pytest.mark.parametrize(("seed", "warned"), [(1, False), (2, True)])
def test_a_run_that_goes_on_under_another_seed_says_so(
    trainer: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture, seed: int, warned: bool
) -> None:
    run = trainer(Task(), config(tmp_path))
    run.cfg.common.seed = seed
    saved = {"cfg": OmegaConf.create({"common": {"seed": 1}}), "model": {}}
    run._take_up(False, "checkpoint_last.pt", saved)
    assert ("`common.seed` is 2, but checkpoint_last.pt was saved with 1" in caplog.text) == warned
    caplog.clear()
    run._take_up(True, "pretrained.pt", saved)  # a new run, which begins with its weights
    run._take_up(False, "checkpoint_last.pt", {"cfg": None, "model": {}})
    run.task = StockTask()
    run._take_up(False, "checkpoint_last.pt", saved)
    assert not caplog.records
