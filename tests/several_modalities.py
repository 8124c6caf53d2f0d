"""A run of data2vec 2.0 on speech, pictures and text that takes seconds: its data, its recipe, its command."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List

import yaml
from end_to_end_commands import CONFIGS
from fairseq.data import Dictionary
from images import write_tree
from models.tiny_multi import section
from speech import write_clip, write_manifest
from text import lines, write_binaries, write_text, write_words_dictionary

CLIPS = {f"{number}.wav": 900 + 30 * number for number in range(8)}


def write_data(folder: Path) -> Path:
    """Clips, pictures and lines, eight of each, and what they are labelled with."""
    for seed, (name, size) in enumerate(CLIPS.items()):
        write_clip(folder / "audio" / name, size, seed=seed)
    for split in ("train", "valid"):  # fairseq opens the latter although it validates nothing
        write_manifest(folder / "audio" / f"{split}.tsv", folder / "audio", CLIPS)
        write_tree(folder / "image" / split, {"cat": 4, "dog": 4})
        write_text(folder / "text" / f"{split}.txt", lines(8))
        (folder / "audio" / f"{split}.ltr").write_text("A B |\n" * len(CLIPS))
    (folder / "audio" / "dict.ltr.txt").write_text("| 3\nA 2\nB 1\n")
    write_sentences(folder / "sentences", write_words_dictionary(folder / "text", lines()))
    return folder


def write_sentences(folder: Path, dictionary: Dictionary) -> None:
    """The lines as fairseq's binaries, of two classes in turn."""
    classes = write_words_dictionary(folder / "label", ["no yes"])
    (folder / "input0").mkdir()
    dictionary.save(str(folder / "input0" / "dict.txt"))
    for split in ("train", "valid"):
        write_binaries(folder / "input0" / split, lines(8), dictionary)
        write_binaries(folder / "label" / split, ["yes", "no"] * 4, classes)


WITHOUT_NOISE = tuple(f"+model.modalities.{name}.mask_noise_std=0" for name in ("audio", "image", "text"))
"""What decoders read for masked tokens is drawn in the forward pass, in each process."""


def write_recipe(folder: Path, data: Path) -> Path:
    """The recipe as `several.yaml` in a folder, which is returned: decoders in a group of their own."""
    model = section("audio", "image", "text", decoder_group=True)
    for name in ("ema_anneal_end_step", "max_update", "seed"):
        del model[name]
    adam = {"_name": "adam", "weight_decay": 0.05}
    group = {"lr_float": 1e-3, "optimizer": adam, "lr_scheduler": {"_name": "cosine", "warmup_updates": 2}}
    task = {
        "_name": "multimodal_pretraining",
        "audio": {"data": str(data / "audio"), "normalize": True, "enable_padding": True, "precompute_mask_config": {}},
        "image": {"data": str(data / "image"), "input_size": 16, "key": "source", "precompute_mask_config": {}},
        "text": {"data": str(data / "text"), "tokens_per_sample": 24, "sample_break_mode": "eos", "encode_workers": 0},
    }
    recipe = {
        "common": {"log_format": "json", "log_interval": 1, "user_dir": "data2vec_plugin", "cpu": True},
        "task": task,
        "criterion": {"_name": "data2vec", "min_target_var": 0.0, "min_pred_var": 0.0},
        "dataset": {"num_workers": 0, "batch_size": 2, "disable_validation": True},
        "distributed_training": {"distributed_world_size": 1, "ddp_backend": "legacy_ddp"},
        "optimization": {"max_update": 6, "lr": [1e-3]},
        "optimizer": {"_name": "composite", "dynamic_groups": True, "groups": {"default": group, "decoder": group}},
        "lr_scheduler": "pass_through",
        "model": model,
        "checkpoint": {"save_interval_updates": 3, "keep_interval_updates": -1, "no_epoch_checkpoints": True},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "several.yaml").write_text("# @package _group_\n" + yaml.safe_dump(recipe))
    return folder


def words(recipe: Path, out: Path, *overrides: str) -> List[str]:
    """What fairseq-hydra-train is given to make it."""
    here = (f"checkpoint.save_dir={out}", f"hydra.run.dir={out}")
    return ["--config-dir", str(recipe), "--config-name", "several", *here, *overrides]


def finetuning_words(data: Path, checkpoint: Path, out: Path) -> Dict[str, List[str]]:
    """What fairseq-hydra-train is given to fine-tune for each modality, by the recipes of data2vec 2.0."""
    of_audio = ("dataset.train_subset=train", "dataset.valid_subset=valid", f"model.w2v_path={checkpoint}")
    of_image = ("dataset.valid_subset=valid", "task.input_size=16", "model.num_classes=2")
    recipes = {
        "audio": ("asr2_10m", f"task.data={data / 'audio'}", "dataset.validate_after_updates=0", *of_audio),
        "image": ("imagenet2_base", f"task.data={data / 'image'}", f"model.model_path={checkpoint}", *of_image),
        "text": (
            *("text_classification", f"task.data={data / 'sentences'}", "task.num_classes=2"),
            f"model.model_path={checkpoint}",
        ),
    }
    small = (
        "common.cpu=true",
        "common.fp16=false",
        "common.log_interval=1",
        "common.log_format=json",
        "dataset.num_workers=0",
    )
    short = ("++dataset.batch_size=2", "optimization.max_update=2", "lr_scheduler.warmup_updates=1")
    return {
        name: [
            *("--config-dir", CONFIGS, "--config-name", recipe, *small, *short, *overrides),
            *(f"checkpoint.save_dir={out / name}", f"hydra.run.dir={out}"),
        ]
        for name, (recipe, *overrides) in recipes.items()
    }
