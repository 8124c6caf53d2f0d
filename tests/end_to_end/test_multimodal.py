"""MTAG by the real commands: a pickle, its folder, a run that stops and goes on, every row of the ablation."""

from pathlib import Path

import pytest
import torch
from forked_commands import run
from multimodal_files import SAMPLES, write_pickle
from omegaconf import OmegaConf
from speech import ROOT

from data2vec_plugin.data.multimodal.from_pickle import convert_pickle
from data2vec_plugin.models.mtag import MTAGModelConfig, mtag_config
from data2vec_plugin.runs.training_log import read_training_log

pytestmark = pytest.mark.xdist_group("multimodal")

CONFIGS = ROOT / "configs"
SMALL = (
    "model.dim=16",
    "model.layers=2",
    "dataset.num_workers=0",
    "common.log_interval=1",
    "common.log_format=json",
    "dataset.batch_size=4",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("multimodal")
    for name, emotions in (("mosi", False), ("iemocap", True)):
        convert_pickle(write_pickle(folder / f"{name}.pkl", emotions), folder / name)
    return folder


def train(folder: Path, recipe: str, name: str, *overrides: str) -> Path:
    words = ["fairseq-hydra-train", "--config-dir", str(CONFIGS), "--config-name", f"mtag_{recipe}", "+run=cpu", *SMALL]
    paths = (f"task.data={folder / recipe}", f"checkpoint.save_dir={folder / name}")
    log = folder / f"{name}.log"
    log.write_text(run([*words, *paths, *overrides], cwd=folder))
    return log


def last(log: Path, name: str) -> float:
    return read_training_log(log)[name].values[-1]


def test_a_run_stops_goes_on_and_is_evaluated(folder: Path) -> None:
    epochs = ("optimization.max_epoch=2", "checkpoint.no_epoch_checkpoints=false", "task.max_edges=800")
    whole = train(folder, "mosi", "whole", *epochs)
    halves = train(folder, "mosi", "halves", *epochs, f"checkpoint.restore_file={folder / 'whole' / 'checkpoint1.pt'}")
    states = [
        torch.load(folder / name / "checkpoint_last.pt", weights_only=False)["model"] for name in ("whole", "halves")
    ]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert last(whole, "valid/mae") == last(halves, "valid/mae")
    # a best checkpoint is kept, and the last batch of one sample counts: four samples in batches of three
    command = ["fairseq-validate", str(folder / "mosi"), "--task", "unaligned_multimodal", "--cpu"]
    path = str(folder / "whole" / "checkpoint_best.pt")
    plugin = str(ROOT / "data2vec_plugin")
    options = ["--user-dir", plugin, "--path", path, "--valid-subset", "test", "--batch-size", "3"]
    said = run([*command, *options])
    valid, test = (read_training_log(whole)[f"{split}/mae"].values for split in ("valid", "test"))
    assert f"| mae {test[valid.index(min(valid))]:g} " in said
    assert (folder / "mosi" / "test.label").read_text().count("\n") == SAMPLES["test"] - 1 == 4


def test_emotions_are_learned_by_their_recipe(folder: Path) -> None:
    log = train(folder, "iemocap", "emotions", "optimization.max_epoch=1", "criterion.class_weights=inverse")
    scores = read_training_log(log)
    for emotion in ("neutral", "happy", "sad", "angry"):
        assert 0 <= scores[f"valid/f1_{emotion}"].values[-1] <= 1
        assert f"test/accuracy_{emotion}" in scores


def test_rows_of_the_ablation_are_one_multirun(folder: Path) -> None:
    words = [
        "fairseq-hydra-train",
        "--multirun",
        "--config-dir",
        str(CONFIGS),
        "--config-name",
        "mtag_mosi",
        "+run=cpu",
    ]
    short = ("optimization.max_update=1", "dataset.disable_validation=true", f"task.data={folder / 'mosi'}")
    run([*words, *SMALL, *short, "+ablation/mtag=no_edge_types,language_audio"], cwd=folder)
    for row, relations, vision in (("no_edge_types", 1, True), ("language_audio", 27, False)):
        saved = torch.load(folder / "outputs" / "mtag_ablation" / row / "checkpoint_last.pt", weights_only=False)
        assert saved["model"]["graph.layers.1.att_l"].shape[0] == relations
        assert ("graph.vision_fc.0.weight" in saved["model"]) is vision


ROWS = {path.stem: OmegaConf.load(path).model for path in (CONFIGS / "ablation" / "mtag").glob("*.yaml")}
PUBLISHED = {  # relations, pruning, modalities
    "full": (27, "topk", 3),
    "no_edge_types": (1, "topk", 3),
    "type_edges": (9, "topk", 3),
    "time_edges": (3, "topk", 3),
    "random_pruning": (27, "random", 3),
    "no_pruning": (27, "none", 3),
    "language": (27, "topk", 1),
    "vision": (27, "topk", 1),
    "audio": (27, "topk", 1),
    "vision_audio": (27, "topk", 2),
    "language_audio": (27, "topk", 2),
    "language_vision": (27, "topk", 2),
}


def test_every_published_row_is_a_configuration() -> None:
    assert ROWS.keys() == PUBLISHED.keys()
    for row, keys in ROWS.items():
        made = mtag_config(MTAGModelConfig(vision_dim=1, text_dim=1, audio_dim=1, outputs=1, **keys))
        assert (made.edges.count, made.prune.kind, len(made.dims)) == PUBLISHED[row]
        assert made.layers == 8
