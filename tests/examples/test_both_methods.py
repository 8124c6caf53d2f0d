"""The quickstarts by data2vec 1 and by 2.0 have the same stages but for pre-training, which hydra accepts."""

import shlex
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Dict

import pytest
from documented_commands import PROGRAM, composed
from examples.scripts import scripts

from data2vec_plugin.runs.stages import Stage

FOLDERS = ("quickstart", "text", "image")
REPORTS = {"quickstart": "report_speech", "text": "report_text", "image": "report_image"}


@pytest.fixture(scope="module", params=FOLDERS)
def example(request: pytest.FixtureRequest) -> Iterator[SimpleNamespace]:
    more = ("strips",) if request.param == "image" else ()
    with scripts(request.param, REPORTS[request.param], "run", *more) as found:
        yield found


def stages(example: SimpleNamespace, method: int) -> Dict[str, Stage]:
    profile = example.run.METHODS[method]
    listed = example.run.stages(profile["quick"] if isinstance(profile, dict) else profile, 1, "out")
    return {stage.name: stage for stage in listed}


def test_pre_training_by_data2vec_2_composes(example: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings with labels are those of data2vec 1, to the letter."""
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    stage = stages(example, 2)["pretrain"]
    assert stage.command[0] == PROGRAM
    cfg = composed(shlex.join(stage.command))
    assert cfg.model._name == "data2vec_multi"
    assert cfg.optimization.max_update == stage.updates
    assert cfg.model.clone_batch > 1


def test_methods_differ_in_their_pre_training_alone(example: SimpleNamespace) -> None:
    first, second = (stages(example, method) for method in (1, 2))
    assert list(first) == list(second)
    differ = [name for name in first if first[name].command != second[name].command]
    assert differ == [name for name in ("pretrain", "untrained") if name in first]


def test_data2vec_2_takes_fewer_updates(example: SimpleNamespace) -> None:
    first, second = (stages(example, method) for method in (1, 2))
    assert second["pretrain"].updates < first["pretrain"].updates
    assert second["finetune"].updates == first["finetune"].updates
