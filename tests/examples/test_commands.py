"""Every training command that a README or a recipe's header shows is one that hydra and fairseq accept."""

import re
from pathlib import Path
from typing import Iterator, Tuple

import hydra
import pytest
from documented_commands import DOCUMENTS, PROGRAM, RECIPES, Written, composed, in_header, in_readme, swept
from omegaconf import OmegaConf
from speech import ROOT

pytestmark = pytest.mark.source

COMMANDS = [command for path in DOCUMENTS for command in in_readme(path)]
HEADERS = [command for path in RECIPES for command in in_header(path)]
SOURCES = [path for name in ("data2vec_plugin", "data2vec_compat") for path in sorted((ROOT / name).rglob("*.py"))]
OWN_SPEECH = in_readme(ROOT / "examples" / "own_speech" / "README.md")


def place(command: Written) -> str:
    return f"{command.document.relative_to(ROOT)}:{command.line}"


@pytest.fixture(autouse=True)
def one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    for name in ("MASTER_ADDR", "SLURM_NNODES"):
        monkeypatch.delenv(name, raising=False)


def accepted(text: str, *more: str) -> None:
    if "hydra/launcher=" in text:
        pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    try:
        for each in swept(text):
            composed(each, *more)
    except FileNotFoundError as error:
        pytest.skip(f"this fairseq has no {error}")


@pytest.mark.parametrize("command", COMMANDS, ids=place)
def test_readme_commands_compose(command: Written) -> None:
    accepted(command.text)


@pytest.mark.parametrize("command", HEADERS, ids=place)
def test_header_commands_compose(command: Written) -> None:
    accepted(command.text)


def test_all_documents_with_trainings_are_read() -> None:
    documents = {command.document.parent.name for command in COMMANDS}
    assert documents >= {
        "cluster",
        "docs",
        "image",
        "imagenet",
        "librispeech",
        "own_speech",
        "quickstart",
        "switching",
        "text",
    }
    assert sum(command.document.parent == ROOT for command in COMMANDS) >= 4
    assert all(PROGRAM in command.text for command in HEADERS)


def test_a_command_that_hydra_or_fairseq_refuses_is_noticed() -> None:
    recognition = "--config-name asr_base_10h task.data=data model.w2v_path=best.pt"
    twice = ["+run=1gpu +run=cpu"] if hasattr(hydra, "compose") else []  # hydra 1.0 takes the last
    for wrong in ("+size/audio=tiny", "task.no_such_key=1", "+model.no_such_key=1", "+run=3gpu", *twice):
        with pytest.raises(Exception, match=r"run|encoder|no_such_key"):
            composed(f"{PROGRAM} --config-dir configs {recognition} {wrong}")
    with pytest.raises(ValueError, match="cannot be divided among 8 GPUs"):
        composed(f"{PROGRAM} --config-dir configs --config-name asr_large_10h task.data=data +run=8gpu")


@pytest.mark.parametrize("command", OWN_SPEECH, ids=place)
def test_own_speech_is_tried_out_without_a_gpu_as_its_readme_says(
    command: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    small = ["+size/audio=tiny"] if "audio_base" in command.text else []
    assert "+run=1gpu" in command.text
    cfg = composed(command.text.replace("+run=1gpu", "+run=cpu"), *small)
    assert cfg.common.cpu
    assert not cfg.common.bf16


def test_large_is_pretrained_on_the_splits_of_libri_light() -> None:
    readme = in_readme(ROOT / "examples" / "librispeech" / "README.md")
    [command] = [each.text for each in readme if "audio_large" in each.text]
    cfg = composed(command)
    assert (cfg.task.data, cfg.dataset.train_subset, cfg.dataset.valid_subset) == ("data-60k", "train", "valid")


@pytest.mark.parametrize("recipe", sorted((ROOT / "configs").glob("asr_*.yaml")), ids=lambda path: path.stem)
def test_recognition_says_which_of_its_values_are_ours(recipe: Path) -> None:
    header = " ".join(line[1:].strip() for line in recipe.read_text(encoding="utf-8").splitlines() if line[:1] == "#")
    size, hours = recipe.stem.split("_")[1:]
    source = f"wav2vec 2.0's {'vox' if size == 'large' else 'base'}_{hours}."
    assert f"{source} Changed here: the task `data2vec_asr`," in header
    assert ("The paper gives no settings for large" in header) == (size == "large")


def told() -> Iterator[Tuple[str, str]]:
    """Overrides of what has a name, which hydra takes without a plus only if the recipe holds the key."""
    for path in [*SOURCES, *DOCUMENTS]:
        for found in re.finditer(r"`(\+?(?:task|model|criterion)\.[a-z_.]+)=", path.read_text(encoding="utf-8")):
            yield str(path.relative_to(ROOT)), found.group(1)


def test_keys_that_are_told_without_a_plus_are_held_by_a_recipe() -> None:
    recipes = [OmegaConf.to_container(OmegaConf.load(path)) for path in RECIPES]
    held = {f"{group}.{key}" for recipe in recipes for group in ("task", "model", "criterion") for key in recipe[group]}
    held.add("model.transformer.max_source_positions")
    assert [place for place in told() if not place[1].startswith("+") and place[1] not in held] == []
    assert len(set(told())) > 20


def test_keys_of_ours_that_are_told_need_their_plus() -> None:
    """Recipes do not hold them, so that fairseq's own tasks and criterions can take the place of ours."""
    ours = ("task.bad_audio_limit", "task.bad_image_limit", "task.index_dir", "criterion.collapse_patience")
    assert not [place for place in told() if place[1] in ours]
