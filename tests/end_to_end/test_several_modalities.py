"""data2vec 2.0 on three modalities through fairseq's own command: resumed, split over processes, checkpoints."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Dict

import pytest
import torch

pytest.importorskip("torchvision")

from checkpoint_weights import weights
from end_to_end_commands import run_many
from forked_commands import run, run_two
from several_modalities import WITHOUT_NOISE, finetuning_words, words, write_data, write_recipe

from data2vec_plugin.runs.training_log import read_training_log

pytestmark = pytest.mark.xdist_group("several modalities")


def losses(folder: Path) -> Dict[int, float]:
    series = read_training_log(folder / "train.log")["train_inner/loss"]
    return dict(zip(series.updates, series.values))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each of the runs; two processes are forked, all others share one."""
    folder = tmp_path_factory.mktemp("runs")
    recipe = write_recipe(folder / "recipe", write_data(folder / "data"))
    made = {
        "unbroken": words(recipe, folder / "unbroken"),
        "resumed": words(recipe, folder / "resumed", f"checkpoint.restore_file={folder}/unbroken/checkpoint_1_3.pt"),
        "one": words(recipe, folder / "one", "optimization.update_freq=[2]", "dataset.num_workers=1", *WITHOUT_NOISE),
    }
    assert run_many(made) == {name: {"updates": 6, "error": ""} for name in made}
    listed = folder / "two.jsonl"
    world = "distributed_training.distributed_world_size=2"
    listed.write_text(json.dumps(words(recipe, folder / "two", world, *WITHOUT_NOISE)) + "\n")
    run_two([sys.executable, str(Path(__file__).with_name("many_runs.py")), str(listed)], cwd=folder)
    return folder


def test_resumed_equals_unbroken_to_the_digit(runs: Path) -> None:  # B26
    unbroken = losses(runs / "unbroken")
    assert sorted(unbroken) == [1, 2, 3, 4, 5, 6]
    assert losses(runs / "resumed") == {update: unbroken[update] for update in (4, 5, 6)}
    first, second = (weights(runs / name) for name in ("unbroken", "resumed"))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_two_processes_are_one_with_doubled_update_freq(runs: Path) -> None:
    first, second = (weights(runs / name) for name in ("one", "two"))
    assert first.keys() == second.keys()
    assert max(float((first[name].double() - second[name].double()).abs().max()) for name in first) < 1e-5
    earlier = weights(next((runs / "one").glob("checkpoint_*_3.pt")))
    assert max(float((first[name].double() - earlier[name].double()).abs().max()) for name in first) > 1e-5


def test_one_checkpoint_has_every_modality_and_what_decays(runs: Path) -> None:
    state: Dict[str, Any] = torch.load(runs / "unbroken" / "checkpoint_last.pt", weights_only=False)
    names = set(state["model"])
    assert {f"modality_encoders.{name}" for name in ("AUDIO", "IMAGE", "TEXT")} <= {
        ".".join(name.split(".")[:2]) for name in names
    }
    assert "_ema" in names
    groups = state["last_optimizer_state"]
    assert set(groups) >= {"default", "decoder"}
    for name in ("default", "decoder"):
        assert {group["weight_decay"] for group in groups[name]["param_groups"]} == {0.0, 0.05}
    series = read_training_log(runs / "unbroken" / "train.log")
    logged = [name for name in ("AUDIO", "IMAGE", "TEXT") if f"train_inner/target_var_{name}" in series]
    assert len(logged) > 1


def test_each_fine_tuning_starts_from_the_one_checkpoint(runs: Path, tmp_path: Path) -> None:
    made = finetuning_words(runs / "data", runs / "unbroken" / "checkpoint_last.pt", tmp_path)
    assert run_many(made) == {name: {"updates": 2, "error": ""} for name in made}
    pretrained = weights(runs / "unbroken")
    for name, prefix in (("audio", "w2v_encoder.w2v_model."), ("image", "model."), ("text", "model.")):
        trained = weights(tmp_path / name)
        shared = [key for key in trained if key.startswith(f"{prefix}blocks.")]
        assert shared, name
        assert all(trained[key].shape == pretrained[key[len(prefix) :]].shape for key in shared)
        assert not any(other in key for key in trained for other in {"AUDIO", "IMAGE", "TEXT"} - {name.upper()})
    options = ("--user-dir", "data2vec_plugin", "--task", "data2vec_asr", "--scoring", "data2vec_asr", "--cpu")
    decode = ("--path", str(tmp_path / "audio" / "checkpoint_last.pt"), "--gen-subset", "valid", "--batch-size", "4")
    said = run(["fairseq-generate", str(runs / "data" / "audio"), *options, *decode], cwd=tmp_path)
    assert "WER" in said
    assert "8 utterances" in said
