"""Where the installed fairseq keeps its recipes, small data for them, and the overrides that make them small."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Optional

import fairseq
from speech import write_clip, write_manifest
from text import lines, write_binaries, write_words_dictionary

USER_DIR = "common.user_dir=data2vec_plugin"
SHORT = (
    *("common.cpu=true", "distributed_training.distributed_world_size=1", "optimization.max_update=2"),
    "dataset.num_workers=0",
)
AUDIO_SIZE = (
    *("+model.encoder_layers=2", "model.encoder_embed_dim=16", "+model.encoder_ffn_embed_dim=32"),
    *("+model.encoder_attention_heads=2", "model.average_top_k_layers=2"),
    "+model.conv_feature_layers='[(16,10,5)]+[(16,3,2)]*4+[(16,2,2)]*2'",
    *("dataset.max_tokens=64000", "task.max_sample_size=8000", "task.min_sample_size=4000"),
)
SPEECH_SIZE = ("dataset.max_tokens=64000",)
TEXT_SIZE = (
    *("model.transformer.encoder.layers=2", "model.transformer.encoder.embed_dim=16", "model.average_top_k_layers=2"),
    *("model.transformer.encoder.ffn_embed_dim=32", "model.transformer.encoder.attention_heads=2"),
    "dataset.max_tokens=512",
)
ROBERTA_SIZE = (
    *("+model.encoder_layers=2", "+model.encoder_embed_dim=16", "+model.encoder_ffn_embed_dim=32"),
    "+model.encoder_attention_heads=2",
)
VISION_SIZE = (
    *("+model.depth=8", "+model.embed_dim=16", "+model.num_heads=2", "+model.image_size=64", "+task.input_size=64"),
    *("+model.num_mask_patches=6", "+model.min_mask_patches_per_block=2", "+model.max_mask_patches_per_block=6"),
    "dataset.batch_size=2",
)
GLUE: Dict[str, int] = {
    **{"cola": 2, "mnli": 3, "mrpc": 2, "qnli": 2, "qqp": 2, "rte": 2, "sst_2": 2},
    "sts_b": 1,
}
"""The classes of each task; one is a number."""

VISION = """
common: {fp16: true, log_format: json, log_interval: 200, tensorboard_logdir: tb}
checkpoint: {save_interval: 5, save_interval_updates: 25000, keep_interval_updates: 1, no_epoch_checkpoints: true}
task: {_name: image_pretraining, data: "???"}
dataset: {num_workers: 6, batch_size: 128, skip_invalid_size_inputs_valid_test: true, required_batch_size_multiple: 2,
  disable_validation: true}
distributed_training: {distributed_world_size: 16, ddp_backend: legacy_ddp}
criterion: {_name: model, log_keys: [ema_decay, target_var, pred_var]}
optimization: {max_update: 375300, lr: [0.0005], clip_norm: 3.0}
optimizer: {_name: adam, adam_betas: "(0.9,0.999)", adam_eps: 1e-08, weight_decay: 0.05}
lr_scheduler: {_name: cosine, warmup_updates: 12510}
model: {_name: data2vec_vision, attention_dropout: 0.05, drop_path: 0.25, loss_beta: 2.0, ema_decay: 0.999,
  ema_end_decay: 0.9998, layer_norm_targets: true, average_top_k_layers: 6}
"""
"""What fairseq's main branch sets for v1 on ImageNet; the release has no such file."""


def folder_of(recipes: str) -> Optional[Path]:
    """A folder of the installed fairseq's examples, beside the package in a checkout; None if it has none."""
    package = Path(fairseq.__file__).parent
    folders = (place / "examples" / recipes for place in (package, package.parent))
    return next((folder for folder in folders if folder.is_dir()), None)


def named(folder: Path, name: str) -> List[str]:
    """The words that choose a recipe."""
    return ["--config-dir", str(folder), "--config-name", name, USER_DIR, *SHORT]


def write_vision(folder: Path) -> Path:
    """The vision recipe as `base_imagenet.yaml`; returns its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "base_imagenet.yaml").write_text("# @package _group_" + VISION)
    return folder


def write_speech(folder: Path, count: int = 8) -> Path:
    """Half a second of noise eight times, with letters, under the names of splits that the recipes say.

    Of fewer clips than `dataset.required_batch_size_multiple` fairseq's main branch makes no batch.
    """
    for split in ("train", "valid", "dev_other"):
        sizes = {f"{split}{number}.wav": 8_000 for number in range(count)}
        for number, name in enumerate(sizes):
            write_clip(folder / "clips" / name, 8_000, seed=number)
        write_manifest(folder / f"{split}.tsv", folder / "clips", sizes)
        (folder / f"{split}.ltr").write_text("A B | B A |\n" * count)
    (folder / "dict.ltr.txt").write_text("| 10\nA 10\nB 10\n")
    return folder


def write_text_binaries(folder: Path) -> Path:
    """What `fairseq-preprocess` makes of documents for pre-training, and of sentences with labels for each of GLUE."""
    sentences = lines(24)
    dictionary = write_words_dictionary(folder, sentences)
    for split, rows in (("train", sentences[:16]), ("valid", sentences[16:])):
        documents = [line for row in rows for line in (row, "")]
        write_binaries(folder / split, documents, dictionary)
    for task, classes in GLUE.items():
        labels = [str(number % max(classes, 2)) for number in range(len(sentences))]
        names = write_words_dictionary(folder / task / "label", labels)
        for part in ("input0", "input1"):
            write_words_dictionary(folder / task / part, sentences)
        for split, numbers in (("train", range(16)), ("valid", range(16, 24))):
            for part in ("input0", "input1"):
                write_binaries(folder / task / part / split, [sentences[number] for number in numbers], dictionary)
            chosen = [labels[number] for number in numbers]
            write_binaries(folder / task / "label" / split, chosen, names)
            (folder / task / "label" / f"{split}.label").write_text("\n".join(chosen) + "\n")
    return folder
