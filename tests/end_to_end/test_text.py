"""Text through the real commands: raw text to a fine-tuned classifier, and fairseq's own RoBERTa recipes."""

import shutil
from pathlib import Path
from typing import Dict, List

import pytest
import torch
from end_to_end_commands import CONFIGS
from english import write_english, write_labelled
from forked_commands import run
from printed_commands import follow

from data2vec_plugin.runs.training_log import read_training_log

pytestmark = pytest.mark.xdist_group("text")

TINY = (
    *("+size/text=tiny", "model.transformer.encoder.layers=2", "model.transformer.encoder.embed_dim=32"),
    *("model.transformer.encoder.ffn_embed_dim=64", "model.average_top_k_layers=2"),
)


def pretrain_command(data: Path, folder: Path, updates: int, *overrides: str) -> List[str]:
    return [
        *("fairseq-hydra-train", "--config-dir", CONFIGS, "--config-name", "text_base", *TINY, "+run=cpu"),
        *(f"task.data={data}", f"checkpoint.save_dir={folder}", f"optimization.max_update={updates}"),
        *(
            "task.bpe=sentencepiece",
            "task.tokens_per_sample=64",
            "dataset.max_tokens=1024",
            "common.log_interval=1",
            "common.log_format=json",
        ),
        *("lr_scheduler.warmup_updates=1", "checkpoint.save_interval_updates=3", "checkpoint.save_interval=100"),
        *("checkpoint.keep_interval_updates=-1", "dataset.validate_interval=100", *overrides),
    ]


def losses(log: Path) -> Dict[int, float]:
    series = read_training_log(log)["train_inner/loss"]
    return dict(zip(series.updates, series.values))


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_english(tmp_path_factory.mktemp("english"))


@pytest.fixture(scope="module")
def pretrained(english: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("text")
    (folder / "console.log").write_text(run(pretrain_command(english, folder, 6), cwd=folder))
    return folder


@pytest.fixture(scope="module")
def binaries(english: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("labelled")
    write_labelled(folder / "tsv")
    subwords = ("--sentencepiece", str(english / "spm.model"), "--dict", str(english / "dict.txt"))
    run(["data2vec", "sentences", str(folder / "tsv"), "--out", str(folder / "bin"), *subwords])
    return folder / "bin"


def test_raw_text_is_encoded_once_and_trains(english: Path, pretrained: Path) -> None:
    log = (pretrained / "console.log").read_text()
    assert "encode train.txt" in log
    assert sorted(path.suffix for path in (english / "binarised").glob("*.[bi]*")) == [".bin", ".bin", ".idx", ".idx"]
    series = read_training_log(pretrained / "console.log")
    assert {"train_inner/target_var", "train_inner/pred_var", "valid/loss"} <= set(series)
    assert 20 < series["train_inner/masked_pct"].values[-1] < 40
    state = torch.load(pretrained / "checkpoint_last.pt", map_location="cpu", weights_only=False)["model"]
    assert {"encoder.sentence_encoder.embed_tokens.weight", "encoder.regression_head.0.weight"} <= set(state)
    assert state["encoder._ema"]["layers.1.fc2.weight"].dtype == torch.float32


def test_resumed_equals_unbroken_to_the_digit(english: Path, pretrained: Path, tmp_path: Path) -> None:  # B26
    shutil.copy(next(pretrained.glob("checkpoint_*_3.pt")), tmp_path / "checkpoint_last.pt")
    (tmp_path / "console.log").write_text(run(pretrain_command(english, tmp_path, 6), cwd=tmp_path))
    unbroken = losses(pretrained / "console.log")
    assert sorted(unbroken) == [1, 2, 3, 4, 5, 6]
    assert losses(tmp_path / "console.log") == {update: unbroken[update] for update in (4, 5, 6)}


def test_stock_masked_lm_and_criterion_train_on_fairseqs_binaries(english: Path, tmp_path: Path) -> None:  # B25, B12
    for split in ("train", "valid"):
        pieces = (english / f"{split}.txt").read_text().split("\n")
        (tmp_path / f"{split}.pieces").write_text("\n".join(" ".join(f"\u2581{w}" for w in p.split()) for p in pieces))
    words = ("--only-source", "--srcdict", str(english / "dict.txt"), "--destdir", str(tmp_path / "bin"))
    files = ("--trainpref", str(tmp_path / "train.pieces"), "--validpref", str(tmp_path / "valid.pieces"))
    run(["fairseq-preprocess", *words, *files])
    stock = ("task._name=masked_lm", "~task.bpe", "criterion._name=model", "+criterion.log_keys=[target_var,pred_var]")
    command = pretrain_command(tmp_path / "bin", tmp_path / "out", 2, *stock)
    log = run([word for word in command if word != "task.bpe=sentencepiece"], cwd=tmp_path)
    (tmp_path / "console.log").write_text(log)
    assert set(losses(tmp_path / "console.log")) == {1, 2}
    assert "valid_target_var" in log


def classify(recipe: List[str], data: Path, folder: Path, *overrides: str) -> Path:
    here = (
        "common.cpu=true",
        "common.fp16=false",
        "common.log_interval=1",
        "common.log_format=json",
        "dataset.num_workers=0",
    )
    short = ("optimization.max_update=4", "lr_scheduler.warmup_updates=1", f"checkpoint.save_dir={folder}")
    command = ["fairseq-hydra-train", *recipe, *here, *short, f"task.data={data}", "task.num_classes=2", *overrides]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "console.log").write_text(run(command, cwd=folder))
    return folder


def test_classifier_is_trained_saved_and_scored_without_the_pretrained_file(
    pretrained: Path, binaries: Path, tmp_path: Path
) -> None:
    shutil.copy(pretrained / "checkpoint_last.pt", tmp_path / "pretrained.pt")
    recipe = ["--config-dir", CONFIGS, "--config-name", "text_classification"]
    folder = classify(recipe, binaries, tmp_path / "out", f"model.model_path={tmp_path / 'pretrained.pt'}")
    trained = read_training_log(folder / "console.log")["valid/accuracy"].values
    (tmp_path / "pretrained.pt").unlink()
    words = ("--user-dir", "data2vec_plugin", "--task", "sentence_prediction", "--num-classes", "2", "--cpu")
    criterion = ("--criterion", "data2vec_sentence_prediction")
    model = ("--path", str(folder / "checkpoint_best.pt"), "--valid-subset", "valid", "--batch-size", "8")
    log = run(["fairseq-validate", str(binaries), *words, *criterion, *model, "--log-format", "json"], cwd=tmp_path)
    assert f'"valid_accuracy": "{max(trained):g}' in log


def test_what_inspect_prints_is_what_to_do(english: Path, pretrained: Path, binaries: Path, tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("a class of words\nanother line\n")
    filled = {"LINES": tmp_path / "lines.txt", "DATA": binaries}
    _, trained = follow(pretrained / "checkpoint_last.pt", filled, tmp_path / "out", "task.num_classes=2")
    assert "valid_accuracy" in trained


ROBERTA = """
common: {fp16: true, fp16_init_scale: 4, threshold_loss_scale: 1, fp16_scale_window: 128, log_format: json}
task: {_name: sentence_prediction, data: "???", init_token: 0, separator_token: 2, num_classes: 2, max_positions: 512}
checkpoint: {restore_file: "???", reset_optimizer: true, reset_dataloader: true, reset_meters: true,
  best_checkpoint_metric: accuracy, maximize_best_checkpoint_metric: true, no_epoch_checkpoints: true}
distributed_training: {find_unused_parameters: true, distributed_world_size: 1}
criterion: {_name: sentence_prediction}
dataset: {batch_size: 16, required_batch_size_multiple: 1, max_tokens: 4400}
optimizer: {_name: adam, weight_decay: 0.1, adam_betas: "(0.9,0.98)", adam_eps: 1e-06}
lr_scheduler: {_name: polynomial_decay, warmup_updates: 122}
optimization: {clip_norm: 0.0, lr: [2e-05], max_update: 2036, max_epoch: 10}
model: {_name: roberta, dropout: 0.1, attention_dropout: 0.1}
"""
"""The settings of fairseq's RoBERTa recipe for RTE."""


@pytest.fixture
def roberta(tmp_path: Path) -> List[str]:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "rte.yaml").write_text("# @package _group_\n" + ROBERTA)
    return ["--config-dir", str(tmp_path / "recipes"), "--config-name", "rte", "hydra.run.dir=."]


def test_fairseqs_roberta_recipe_takes_our_checkpoint_unchanged(
    pretrained: Path, binaries: Path, roberta: List[str], tmp_path: Path
) -> None:
    sizes = (  # the recipe is made for base; ours is tiny
        *("+model.encoder_layers=2", "+model.encoder_embed_dim=32", "+model.encoder_ffn_embed_dim=64"),
        "+model.encoder_attention_heads=4",
    )
    restore = f"checkpoint.restore_file={pretrained / 'checkpoint_last.pt'}"
    folder = classify(roberta, binaries, tmp_path / "out", restore, *sizes)
    log = (folder / "console.log").read_text()
    assert f"Loaded checkpoint {pretrained / 'checkpoint_last.pt'}" in log
    assert '"num_updates": "4"' in log


def test_fairseqs_roberta_recipe_trains_our_classifier(
    pretrained: Path, binaries: Path, roberta: List[str], tmp_path: Path
) -> None:  # host faults 5 and 6
    ours = (
        *(
            "common.user_dir=data2vec_plugin",
            "model._name=data2vec_text_classification",
            "checkpoint.restore_file=checkpoint_last.pt",
        ),
        f"+model.model_path={pretrained / 'checkpoint_last.pt'}",
    )
    folder = classify(roberta, binaries, tmp_path / "out", *ours)
    assert '"num_updates": "4"' in (folder / "console.log").read_text()
    state = torch.load(folder / "checkpoint_last.pt", map_location="cpu", weights_only=False)
    assert state["cfg"]["model"]["pretrained_model_args"]["model"]["transformer"]["encoder"]["layers"] == 2
