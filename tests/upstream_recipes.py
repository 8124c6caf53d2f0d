"""Where the installed fairseq keeps its recipes, small data for them, and the overrides that make them small."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Optional, Sequence

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

OF_DATA2VEC_2 = """
common: {{fp16: true, log_format: json, log_interval: 200, tensorboard_logdir: tb, fp16_no_flatten_grads: true}}
checkpoint: {{no_epoch_checkpoints: true, save_interval_updates: 25000, keep_interval_updates: 1}}
distributed_training: {{distributed_world_size: 16, ddp_backend: legacy_ddp}}
criterion: {{_name: model, log_keys: [ema_decay, target_var, pred_var, model_norm, ema_norm, masked_pct]}}
dataset: {{num_workers: 10, skip_invalid_size_inputs_valid_test: true, disable_validation: true, {limits}}}
task: {{data: "???", {task}}}
optimization: {{max_update: 400000, lr: [0.00075], {optimization}}}
{optimizer}
model: {{_name: data2vec_multi, loss_beta: 0, clone_batch: 8, ema_decay: 0.999, ema_end_decay: 0.99999,
  ema_anneal_end_step: 75000, instance_norm_target_layer: true, depth: 12, average_top_k_layers: 8, norm_eps: 1.0e-5,
  {model}}}
"""
ADAM = "{_name: adam, adam_betas: [0.9, 0.98], weight_decay: 0.01}"
COSINE = "{_name: cosine, warmup_updates: 4000}"
GROUP = f"{{lr_float: 0.0002, optimizer: {ADAM}, lr_scheduler: {COSINE}}}"
COMPOSITE = f"optimizer: {{_name: composite, dynamic_groups: true, groups: {{default: {GROUP}}}}}"
TWO_GROUPS = f"optimizer: {{_name: composite, groups: {{default: {GROUP}, decoder: {GROUP}}}}}"
PASSED = "\nlr_scheduler: pass_through"
TEXT_2 = "_name: masked_lm, sample_break_mode: none, tokens_per_sample: 512, include_target_tokens: true, "
TEXT_2 += "random_token_prob: 0, leave_unmasked_prob: 0, include_index: true, skip_masking: true, d2v2_multi: true"
TEXT_MODEL = "loss_scale: 1, ema_encoder_only: true, supported_modality: TEXT, modalities: {text: {mask_prob: 0.48, "
TEXT_MODEL += "mask_length: 1, prenet_depth: 0, decoder: {decoder_dim: 768, decoder_groups: 1, decoder_kernel: 9, "
TEXT_MODEL += "decoder_layers: 5, decoder_residual: false, projection_layers: 2, projection_ratio: 2.0}}}"
RECIPES_2: Dict[str, Dict[str, str]] = {
    "base_audio": {
        "limits": "max_tokens: 1000000, required_batch_size_multiple: 1",
        "task": "_name: audio_pretraining, max_sample_size: 320000, min_sample_size: 32000, normalize: true, "
        "precompute_mask_config: {}",
        "optimization": "debug_param_names: true",
        "optimizer": f"optimizer: {ADAM}\nlr_scheduler: {COSINE}",
        "model": "embed_dim: 768, ema_encoder_only: false, supported_modality: AUDIO, layerdrop: 0.05, "
        "modalities: {audio: {feature_encoder_spec: '[(512, 10, 5)] + [(512, 3, 2)] * 4 + [(512,2,2)] + [(512,2,2)]', "
        "conv_pos_depth: 5, conv_pos_width: 95, prenet_depth: 0, mask_prob: 0.5, mask_prob_adjust: 0.05, "
        "mask_length: 5, use_alibi_encoder: true, learned_alibi_scale: true, learned_alibi_scale_per_head: true, "
        "decoder: {decoder_dim: 384, decoder_groups: 16, decoder_kernel: 7, decoder_layers: 4}}}",
    },
    "base_images": {
        "limits": "batch_size: 16, required_batch_size_multiple: 1",
        "task": "_name: mae_image_pretraining, rebuild_batches: true, local_cache_path: /cache, key: source, "
        "precompute_mask_config: {}",
        "optimization": "debug_param_names: true, clip_norm: 4",
        "optimizer": COMPOSITE + PASSED,
        "model": "min_target_var: 0, min_pred_var: 0, supported_modality: IMAGE, cls_loss: 0.01, ema_encoder_only: "
        "false, layer_norm_targets: true, modalities: {image: {inverse_mask: true, mask_prob: 0.8, "
        "mask_prob_adjust: 0.07, mask_length: 3, prenet_depth: 2, ema_local_encoder: true, num_extra_tokens: 1, "
        "init_extra_token_zero: false, decoder: {decoder_dim: 768, decoder_kernel: 3, decoder_layers: 6}}}",
    },
    "base_text": {
        "limits": "batch_size: 4",
        "task": TEXT_2,
        "optimization": "clip_norm: 1, update_freq: [1]",
        "optimizer": COMPOSITE + PASSED,
        "model": f"embed_dim: 768, {TEXT_MODEL}",
    },
    "large_text_groups": {
        "limits": "batch_size: 2",
        "task": TEXT_2,
        "optimization": "clip_norm: 1, update_freq: [1]",
        "optimizer": TWO_GROUPS + PASSED,
        "model": f"embed_dim: 1024, num_heads: 16, decoder_group: true, {TEXT_MODEL}",
    },
}
"""What fairseq's main branch sets for data2vec 2.0, in its words; the release has no such files."""
SMALL_2 = ("model.depth=2", "model.average_top_k_layers=2", "model.clone_batch=2")
FEW, FEW_HEADS = "model.embed_dim=16", "model.num_heads=2"  # hydra 1.0 has no `++` for what a recipe may or may not set
OF_RECIPE_2: Dict[str, Sequence[str]] = {
    "base_audio": (
        FEW,
        f"+{FEW_HEADS}",
        *("dataset.max_tokens=32000", "task.max_sample_size=8000", "task.min_sample_size=4000"),
        "model.modalities.audio.feature_encoder_spec='[(16,10,5)]+[(16,3,2)]*4+[(16,2,2)]*2'",
        "model.modalities.audio.decoder.decoder_dim=16",
    ),
    "base_images": (
        f"+{FEW}",
        f"+{FEW_HEADS}",
        *("+task.input_size=32", "+model.modalities.image.input_size=32", "+model.modalities.image.patch_size=4"),
        *("+model.modalities.image.embed_dim=16", "model.modalities.image.decoder.decoder_dim=16"),
        "dataset.batch_size=2",
    ),
    "base_text": (FEW, f"+{FEW_HEADS}", "model.modalities.text.decoder.decoder_dim=16"),
    "large_text_groups": (FEW, FEW_HEADS, "model.modalities.text.decoder.decoder_dim=16"),
}
"""What makes each of them small."""


def write_recipes_2(folder: Path) -> Path:
    """Those recipes as files; returns their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, parts in RECIPES_2.items():
        (folder / f"{name}.yaml").write_text("# @package _group_" + OF_DATA2VEC_2.format(**parts))
    return folder


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
