"""Upstream's own recipes, as fairseq ships them; overrides name the plugin and the data, and make them small."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Dict, List

import pytest
from end_to_end_commands import run_many
from forked_commands import run
from upstream_recipes import (
    AUDIO_SIZE,
    GLUE,
    OF_RECIPE_2,
    RECIPES_2,
    ROBERTA_SIZE,
    SMALL_2,
    SPEECH_SIZE,
    TEXT_SIZE,
    VISION_SIZE,
    folder_of,
    named,
    write_recipes_2,
    write_speech,
    write_text_binaries,
    write_vision,
)

AUDIO, TEXT = folder_of("data2vec/config/audio/pretraining"), folder_of("data2vec/config/text/pretraining")
RECOGNITION, ROBERTA = folder_of("wav2vec/config/finetuning"), folder_of("roberta/config/finetuning")
BASE = [f"base_{size}" for size in ("10m", "1h", "10h", "100h", "960h")]
LARGE = [name.replace("base", "vox") for name in BASE]

pytestmark = [
    pytest.mark.xdist_group("upstream recipes"),
    pytest.mark.skipif(None in (AUDIO, TEXT, RECOGNITION, ROBERTA), reason="this fairseq came without its examples"),
]


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_speech(tmp_path_factory.mktemp("speech"))


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_text_binaries(tmp_path_factory.mktemp("text"))


def train(words: List[str], folder: Path) -> str:
    return run(["fairseq-hydra-train", *words, f"checkpoint.save_dir={folder}"], cwd=folder)


@pytest.fixture(scope="module")
def audio_checkpoint(speech: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audio")
    words = [*named(AUDIO, "base_librispeech"), f"task.data={speech}", *AUDIO_SIZE]
    (folder / "console.log").write_text(train(words, folder))
    return folder / "checkpoint_last.pt"


@pytest.fixture(scope="module")
def text_checkpoint(text: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("text")
    words = [*named(TEXT, "base"), f"task.data={text}", *TEXT_SIZE]
    (folder / "console.log").write_text(train(words, folder))
    return folder / "checkpoint_last.pt"


def test_audio_base_trains_by_the_command(audio_checkpoint: Path) -> None:
    log = audio_checkpoint.with_name("console.log").read_text()
    assert '"train_num_updates": "2"' in log
    assert {"train_target_var", "train_pred_var", "train_ema_decay"} <= set(log.replace('"', " ").split())


def test_text_base_trains_by_the_command(text_checkpoint: Path) -> None:
    log = text_checkpoint.with_name("console.log").read_text()
    assert '"train_num_updates": "2"' in log
    assert "valid_loss" in log


def finetune(recipe: str, speech: Path, checkpoint: Path, *overrides: str) -> List[str]:
    data = (f"task.data={speech}", f"model.w2v_path={checkpoint}")
    return [*named(RECOGNITION, recipe), *data, *SPEECH_SIZE, *overrides]


def test_recognition_by_the_command(speech: Path, audio_checkpoint: Path, tmp_path: Path) -> None:
    log = train(finetune("vox_960h", speech, audio_checkpoint), tmp_path)
    assert '"train_num_updates": "2"' in log
    assert "dev_other_wer" in log


def classify(recipe: str, text: Path, checkpoint: Path) -> List[str]:
    data = (f"task.data={text / recipe}", f"checkpoint.restore_file={checkpoint}")
    return [*named(ROBERTA, recipe), *data, *ROBERTA_SIZE]


def look_at_pictures(folder: Path) -> List[str]:
    from images import write_tree

    pictures = write_tree(folder / "pictures" / "train", {"cat": 2, "dog": 2}).parent
    return [*named(write_vision(folder / "recipes"), "base_imagenet"), f"task.data={pictures}", *VISION_SIZE]


@pytest.fixture(scope="module")
def results(
    speech: Path, text: Path, audio_checkpoint: Path, text_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory
) -> Dict[str, Any]:
    """What became of all the others, run one after another by the command's own function."""
    folder = tmp_path_factory.mktemp("runs")
    runs = {name: finetune(name, speech, audio_checkpoint) for name in LARGE}
    runs.update({name: finetune(name, speech, audio_checkpoint, "task.normalize=true") for name in BASE})
    runs["stopped"] = finetune("base_1h", speech, audio_checkpoint)
    runs["told to go on"] = finetune("base_1h", speech, audio_checkpoint, "+model.normalize=true")
    runs.update({name: classify(name, text, text_checkpoint) for name in GLUE})
    if find_spec("torchvision"):
        runs["base_imagenet"] = look_at_pictures(folder)
    data = {"base_audio": speech, "base_text": text, "large_text_groups": text, "base_images": folder / "pictures"}
    recipes = write_recipes_2(folder / "recipes2")
    for name in RECIPES_2 if find_spec("torchvision") else [name for name in RECIPES_2 if name != "base_images"]:
        runs[name] = [*named(recipes, name), f"task.data={data[name]}", *SMALL_2, *OF_RECIPE_2[name]]
    here = (f"hydra.run.dir={folder}", "checkpoint.no_save=true")
    return run_many({name: [*words, *here] for name, words in runs.items()})


@pytest.mark.parametrize("recipe", [*LARGE, *BASE, "told to go on", *GLUE, "base_imagenet", *RECIPES_2])
def test_recipe_trains(recipe: str, results: Dict[str, Any]) -> None:
    if recipe in ("base_imagenet", "base_images"):
        pytest.importorskip("torchvision")
    assert results[recipe] == {"updates": 2, "error": ""}


def test_recipe_that_does_not_normalise_stops_before_training(  # B20
    results: Dict[str, Any], audio_checkpoint: Path
) -> None:
    assert results["stopped"]["updates"] == 0
    error = results["stopped"]["error"]
    assert error.startswith("ValueError: `task.normalize` is false")
    assert f"checkpoint {audio_checkpoint} was trained with `task.normalize: true`: add `task.normalize=true`" in error
