"""Several trainings in one process, as `--multirun` runs them, and `data2vec report` of them."""

import json
import os
from pathlib import Path

import pytest
import torch
from end_to_end_commands import pretrain_command
from forked_commands import run

pytestmark = pytest.mark.xdist_group("processes")

WANDB = '''
"""W&B, as far as fairseq calls it: one run a process, until it is finished."""
import json, pathlib

run, calls = None, pathlib.Path(__file__).with_name("calls")


class config:
    update = staticmethod(lambda values: None)


def init(project, name, reinit):
    global run
    run = run or [project, name]


def log(values, step):
    with calls.open("a") as file:
        file.write(json.dumps([*run, step]) + "\\n")


def finish(exit_code):
    global run
    run = None
'''


@pytest.fixture(scope="module")
def sweep(speech_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two target signals; the second job's validation loss is far above the first one's."""
    folder = tmp_path_factory.mktemp("sweep")
    command = pretrain_command(speech_data, folder, 3, "+model.target_signal=ffn,block", "+model.loss_scale=1,100")
    words = [word for word in command if not word.startswith("checkpoint.save_dir=")]
    names = (
        f"checkpoint.save_dir='{folder}/${{model.target_signal}}-${{model.loss_scale}}'",
        "common.tensorboard_logdir='${checkpoint.save_dir}/curves'",
        "common.wandb_project=sweeps",
    )
    stub = folder / "stub"
    stub.mkdir()
    (stub / "wandb.py").write_text(WANDB)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", str(stub), prepend=os.pathsep)
        (folder / "sweep.log").write_text(run([words[0], "--multirun", *words[1:], *names], cwd=folder))
    return folder


def test_each_job_keeps_a_best_checkpoint_of_its_own(sweep: Path) -> None:
    folders = [path.parent for path in sweep.glob("*/checkpoint_last.pt")]
    assert len(folders) == 4
    for folder in folders:
        best, last = (torch.load(folder / f"checkpoint_{which}.pt", weights_only=False) for which in ("best", "last"))
        assert best["extra_state"]["best"] == best["extra_state"]["val_loss"]
        assert last["extra_state"]["best"] <= last["extra_state"]["val_loss"]


def test_each_job_draws_its_curves_in_its_own_folder(sweep: Path) -> None:
    pytest.importorskip("tensorboardX")
    assert len(list(sweep.glob("*/curves/train/events.*"))) == len(list(sweep.glob("*/curves/train"))) == 4


def test_each_job_is_a_run_of_wandb_whose_steps_go_forward(sweep: Path) -> None:
    calls = [json.loads(line) for line in (sweep / "stub" / "calls").read_text().splitlines()]
    assert {project for project, _, _ in calls} == {"sweeps"}
    runs = {name: [step for _, of, step in calls if of == name] for _, name, _ in calls}
    assert set(runs) == {path.parent.name for path in sweep.glob("*/checkpoint_last.pt")}
    assert all(steps == sorted(steps) and steps[-1] == 3 for steps in runs.values())


def test_each_job_logs_to_its_own_folder_and_a_report_draws_them(sweep: Path) -> None:
    folders = sorted(path.parent for path in sweep.glob("*/train.log"))
    assert len(folders) == 4
    for folder in folders:
        assert (folder / "train.log").read_text().count('"num_updates": "3"') >= 1
    printed = run(["data2vec", "report", *map(str, folders), "--out", str(sweep / "report.png")])
    assert "report.png" in printed
    assert (sweep / "report.png").stat().st_size > 10_000
