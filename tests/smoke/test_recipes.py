"""Each recipe that ships, for two updates and one validation, through the real fairseq-hydra-train.

Not part of ``make test``; ``make smoke`` and CI run it.
"""

from pathlib import Path
from typing import List

import pytest
from speech import ROOT, run, synthesise

CONFIGS = ROOT / "configs"
RECIPES = sorted(path.stem for path in CONFIGS.glob("*.yaml"))
PRETRAINING = [name for name in RECIPES if name.startswith("audio_")]
RECOGNITION = [name for name in RECIPES if name.startswith("asr_")]


def smoke(recipe: str, data: Path, folder: Path, *overrides: str) -> str:
    """The recipe's own command with `+run=smoke`."""
    command: List[str] = ["fairseq-hydra-train", "--config-dir", str(CONFIGS), "--config-name", recipe, "+run=smoke"]
    paths = (f"task.data={data}", f"checkpoint.save_dir={folder}")
    return run([*command, *paths, *overrides], cwd=folder)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthesise(tmp_path_factory.mktemp("speech"))


@pytest.fixture(scope="module")
def checkpoint(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pretrained")
    smoke("audio_base", data, folder, *SMALL, "checkpoint.no_save=false")
    return folder / "checkpoint_last.pt"


SMALL = ("+size/audio=tiny", "dataset.train_subset=train-unlabelled", "task.min_sample_size=8000")


def test_every_recipe_belongs_to_a_kind_that_is_run_here() -> None:
    assert set(RECIPES) == set(PRETRAINING) | set(RECOGNITION)


@pytest.mark.parametrize("recipe", PRETRAINING)
def test_pretraining(recipe: str, data: Path, tmp_path: Path) -> None:
    log = smoke(recipe, data, tmp_path, *SMALL)
    assert '"num_updates": "2"' in log
    assert "valid_loss" in log


@pytest.mark.parametrize("recipe", RECOGNITION)
def test_recognition(recipe: str, data: Path, checkpoint: Path, tmp_path: Path) -> None:
    splits = ("dataset.train_subset=train-labelled", "dataset.valid_subset=valid")
    log = smoke(recipe, data, tmp_path, *splits, f"model.w2v_path={checkpoint}")
    assert '"num_updates": "2"' in log
    assert "valid_wer" in log
