"""Jobs of a sweep that would save into one folder are stopped before the first begins."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, List

import pytest

from data2vec_plugin.host.launching import sweep_folders

ROOT = Path(__file__).resolve().parents[3]
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
    done = run_python(code, cwd=tmp_path, imported="torch", HYDRA_FULL_ERROR="1")
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    (_, none, said), (_, both, nothing) = (json.loads(line.partition(" ")[2]) for line in lines)
    assert (none, both, nothing) == ([], ["runs/0", "runs/1"], "")
    assert "optimization.lr=[0.0003] and optimization.lr=[0.0005], and resume from each other's" in said
    assert "with checkpoint.save_dir='outputs/audio_base/${optimization.lr.0}'" in said


def sweeper(user_dir: str = "data2vec_plugin", **hydra: Any) -> Any:
    """hydra's sweeper, as far as it composes jobs, around the patch."""
    from hydra.conf import HydraConf, SweepDir
    from omegaconf import OmegaConf

    def load_sweep_config(config: Any, overrides: List[str]) -> Any:
        keys = {
            "checkpoint": {"save_dir": "out", "no_save": False},
            "model": {"_name": "a"},
            "common": {"seed": 0, "user_dir": user_dir},
        }
        cfg = OmegaConf.create({**keys, "hydra": HydraConf(sweep=SweepDir(**{"dir": ".", "subdir": ".", **hydra}))})
        OmegaConf.set_struct(cfg, True)
        for word in overrides:
            if "." in word.partition("=")[0]:
                section, _, key = word.partition("=")[0].partition(".")
                cfg[section][key] = word.partition("=")[2]
        return cfg

    class Sweeper:
        """hydra's, without its jobs."""

        config = OmegaConf.create({"common": {"user_dir": user_dir}})
        config_loader = SimpleNamespace(load_sweep_config=load_sweep_config)

        def validate_batch_is_legal(self, batch: Any) -> None:
            """Stock."""

    assert sweep_folders.keep_apart(SimpleNamespace(Sweeper=Sweeper))  # type: ignore[arg-type]
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


def test_jobs_of_others_are_not_even_composed() -> None:
    jobs = sweeper(user_dir="theirs")
    jobs.config_loader.load_sweep_config = lambda config, overrides: pytest.fail("composed")
    jobs.validate_batch_is_legal([["common.seed=1"], ["common.seed=2"]])


def test_a_job_may_name_our_plugin_itself() -> None:
    both = [[f"common.seed={seed}", "common.user_dir=data2vec_plugin"] for seed in (1, 2)]
    with pytest.raises(Exception, match="two jobs"):
        sweeper(user_dir="theirs").validate_batch_is_legal(both)
    sweeper(user_dir="theirs").validate_batch_is_legal([both[0], ["common.seed=2", "common.user_dir=others"]])
