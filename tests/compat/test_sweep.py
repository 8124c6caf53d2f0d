"""Trainings that follow one another in a process: what the first one opened does not take in the second one's."""

import json
import logging
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Dict, Iterator, List, Optional

import pytest

from data2vec_compat.patches import sweep

ROOT = Path(__file__).resolve().parents[2]
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

    module: Any = SimpleNamespace(main=main, progress_bar=progress_bar, logger=logging.getLogger("cut.down"))
    assert sweep.end_logs(module)
    return lambda *args, **kwargs: module.main(*args, **kwargs)


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
    try:
        trainer()("a", log_file=str(tmp_path / "a"))
        assert [h for h in progress_bar.logger.handlers if isinstance(h, logging.FileHandler)] == [mine]
    finally:
        progress_bar.logger.removeHandler(mine)
        mine.close()


SWEEPS = """
import json, os, sys
import fairseq  # first, so that what is replaced here is already mended
from fairseq_cli import hydra_train

jobs = []
hydra_train._hydra_main = lambda cfg: jobs.append(os.path.abspath(cfg.checkpoint.save_dir))
for name, words in json.loads(sys.argv[1]).items():
    jobs.clear()
    sys.argv = ["fairseq-hydra-train", "--multirun", *words, "task.data=data"]
    try:
        hydra_train.cli_main()
        said = ""
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
    print("RESULT " + json.dumps([name, [os.path.relpath(job) for job in jobs], said]))
"""
RECIPE = ("--config-dir", str(ROOT / "configs"), "--config-name", "audio_base", "optimization.lr=[0.0003],[0.0005]")


def test_hydra_stops_a_sweep_with_one_folder_before_its_first_job(
    run_python: Callable[..., Any], tmp_path: Path
) -> None:
    """By hydra's own sweeper and launcher, of whichever version; the jobs train nothing."""
    sweeps = {"one folder": RECIPE, "two": (*RECIPE, "checkpoint.save_dir='runs/${hydra:job.num}'")}
    code = SWEEPS.replace("sys.argv[1]", repr(json.dumps(sweeps)))
    done = run_python(code, cwd=tmp_path, HYDRA_FULL_ERROR="1", PYTHONPATH=str(ROOT))
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    (_, none, said), (_, both, nothing) = (json.loads(line.partition(" ")[2]) for line in lines)
    assert (none, both, nothing) == ([], ["runs/0", "runs/1"], "")
    assert "optimization.lr=[0.0003] and optimization.lr=[0.0005], and go on from each other's" in said
    assert "as checkpoint.save_dir='outputs/audio_base/${optimization.lr.0}'" in said


def sweeper(**hydra: Any) -> Any:
    """hydra's sweeper, as far as it composes jobs, around the patch."""
    from hydra.conf import HydraConf, SweepDir
    from omegaconf import OmegaConf

    def load_sweep_config(config: Any, overrides: List[str]) -> Any:
        keys = {"checkpoint": {"save_dir": "out", "no_save": False}, "model": {"_name": "a"}, "common": {"seed": 0}}
        cfg = OmegaConf.create({**keys, "hydra": HydraConf(sweep=SweepDir(**{"dir": ".", "subdir": ".", **hydra}))})
        OmegaConf.set_struct(cfg, True)
        for word in overrides:
            if "." in word.partition("=")[0]:
                section, _, key = word.partition("=")[0].partition(".")
                cfg[section][key] = word.partition("=")[2]
        return cfg

    class Sweeper:
        """hydra's, without its jobs."""

        config = None
        config_loader = SimpleNamespace(load_sweep_config=load_sweep_config)

        def validate_batch_is_legal(self, batch: Any) -> None:
            """Stock."""

    assert sweep.keep_apart(SimpleNamespace(Sweeper=Sweeper))  # type: ignore[arg-type]
    return Sweeper()


def test_jobs_are_named_by_what_all_of_them_differ_in() -> None:
    batch = [[f"common.seed={seed}", f"model={model}", "checkpoint.save_dir=o"] for model in "ab" for seed in (1, 2)]
    with pytest.raises(Exception, match=r"common.seed=1 model=a and common.seed=2 model=a,.*='o/\$\{common\.seed\}'"):
        sweeper().validate_batch_is_legal(batch)
    with pytest.raises(Exception, match=r"model=a and model=b,.*='out/\$\{hydra:job\.num\}'"):
        sweeper().validate_batch_is_legal([["model=a"], ["model=b"]])
    with pytest.raises(Exception, match=r"save_dir=o and checkpoint.save_dir=\./o"):
        sweeper().validate_batch_is_legal([["checkpoint.save_dir=o"], ["checkpoint.save_dir=./o"]])


def test_jobs_that_are_apart_are_left_alone() -> None:
    seeds = ["common.seed=1"], ["common.seed=2"]
    sweeper().validate_batch_is_legal([["checkpoint.save_dir=a"], ["checkpoint.save_dir=b"]])
    sweeper().validate_batch_is_legal([[*words, "checkpoint.save_dir=${common.seed}"] for words in seeds])
    sweeper().validate_batch_is_legal([[*words, "checkpoint.no_save=true"] for words in seeds])
    sweeper(subdir="${hydra.job.num}").validate_batch_is_legal(seeds)
    with pytest.raises(Exception, match="two jobs"):
        sweeper(subdir="${hydra.job.num}").validate_batch_is_legal(
            [[*words, "checkpoint.save_dir=/out"] for words in seeds]
        )


def test_batches_of_one_job_are_compared_too() -> None:
    """Sweepers that search launch a job, look at its result, and choose the next one; which may be the same again."""
    jobs = sweeper()
    for _ in range(2):
        jobs.validate_batch_is_legal([["common.seed=1"]])
    with pytest.raises(Exception, match=r"common\.seed=1 and common\.seed=2, .*save_dir='out/\$\{common\.seed\}'"):
        jobs.validate_batch_is_legal([["common.seed=2"]])
