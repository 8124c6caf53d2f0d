"""What importing the plugin does, and what it does not."""

import subprocess
import sys
from compileall import compile_dir
from pathlib import Path
from typing import Any

import forks
import pytest
from fairseq.models import MODEL_REGISTRY
from fairseq.tasks import TASK_REGISTRY

import data2vec_plugin
from data2vec_plugin.config_keys import UnknownKeyError
from data2vec_plugin.registration import register_all


def python(code: str) -> str:
    """What code prints in an interpreter that has imported torch alone."""
    done = forks.python(["-W", "ignore", "-c", code], imported="torch", timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_plugin_imports_neither_fairseq_nor_torch() -> None:
    code = "import data2vec_plugin, sys; print({'fairseq', 'torch'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"


@pytest.mark.parametrize("order", ["fairseq, data2vec_plugin", "data2vec_plugin, fairseq"])
def test_everything_is_registered_in_either_order(order: str) -> None:
    shown = "from fairseq.tasks import TASK_REGISTRY as t; print('data2vec_asr' in t)"
    assert python(f"import {order}; {shown}") == "True"


def test_a_module_that_needs_fairseq_can_be_imported_first() -> None:
    python("from data2vec_plugin.data.audio.clips import LoaderMasks")
    python("from data2vec_plugin.models.data2vec_audio import Data2VecAudioModel")


def test_registering_costs_little_beyond_fairseq() -> None:
    """Half of what fairseq itself costs beside torch, or less; torchvision alone would cost four times as much.

    With the bytecode that an installation has, and a checkout after its first start.
    """
    compile_dir(Path(data2vec_plugin.__file__).parent, quiet=1)
    code = (
        "import torch, time; start = time.process_time(); import fairseq; ready = time.process_time(); "
        "import data2vec_plugin; print((time.process_time() - ready) / (ready - start))"
    )
    assert any(float(python(code)) < 0.8 for _ in range(3))


def test_speech_needs_no_extra_of_another_modality() -> None:  # B17
    others = "{'timm', 'torchvision', 'torchaudio', 'sentencepiece', 'soundfile', 'matplotlib', 'PIL'}"
    imported = "import fairseq, sys; before = set(sys.modules); import data2vec_plugin"
    code = f"{imported}; print({others} & (set(sys.modules) - before))"
    assert python(code) == "set()"


TINY_TEXT = """
from types import SimpleNamespace
from fairseq.data import Dictionary
from fairseq.dataclass.utils import merge_with_parent
from omegaconf import OmegaConf
from data2vec_plugin.models.data2vec_text import Data2VecTextModel
from data2vec_plugin.models.text_config import Data2VecTextConfig
from data2vec_plugin.tasks.data2vec_masked_lm import Data2VecMaskedLMTask
sizes = {"layers": 1, "embed_dim": 8, "ffn_embed_dim": 8, "attention_heads": 2}
section = {"max_positions": 8, "ema_anneal_end_step": 1, "average_top_k_layers": 1, "transformer": {"encoder": sizes}}
symbols = Dictionary()
symbols.add_symbol("<mask>")
cfg = merge_with_parent(Data2VecTextConfig(), OmegaConf.create(section))
Data2VecTextModel.build_model(cfg, SimpleNamespace(source_dictionary=symbols))
"""
TINY_SPEECH = """
from data2vec_plugin.models.audio_config import Data2VecAudioConfig
from data2vec_plugin.models.data2vec_audio import Data2VecAudioModel
cfg = Data2VecAudioConfig(encoder_layers=1, encoder_embed_dim=8, encoder_ffn_embed_dim=8, encoder_attention_heads=2)
cfg.conv_pos_groups, cfg.average_top_k_layers, cfg.ema_anneal_end_step, cfg.max_update = 2, 1, 1, 1
Data2VecAudioModel(cfg)
"""
TINY_IMAGES = """
from data2vec_plugin.models.data2vec_vision import Data2VecVisionModel
from data2vec_plugin.models.vision_config import Data2VecVisionConfig
cfg = Data2VecVisionConfig(depth=1, embed_dim=8, num_heads=2, image_size=8, patch_size=4, average_top_k_layers=1)
cfg.ema_anneal_end_step = 1
import torch
Data2VecVisionModel(cfg)(torch.zeros(1, 3, 8, 8))
"""


@pytest.mark.parametrize(
    ("build", "others"),
    [
        (TINY_TEXT, {"soundfile", "torchvision", "torchaudio", "timm", "PIL"}),
        (TINY_SPEECH, {"sentencepiece", "sklearn", "torchvision", "timm", "PIL"}),
        (TINY_IMAGES, {"soundfile", "sentencepiece", "sklearn", "torchvision", "torchaudio", "timm", "PIL"}),
    ],
    ids=["text", "speech", "images"],
)
def test_a_modality_is_built_without_the_others_extras(build: str, others: "set[str]") -> None:  # B17
    """Not because they happen not to be imported: here they cannot be."""
    missing = f"import sys; sys.modules.update(dict.fromkeys({others}))"
    python(f"import fairseq\n{missing}\nimport data2vec_plugin\n{build}")


def test_registering_twice_is_harmless() -> None:
    task = TASK_REGISTRY["data2vec_asr"]
    register_all()
    assert TASK_REGISTRY["data2vec_asr"] is task


@pytest.mark.parametrize(
    "name",
    [
        "data2vec_audio",
        "data2vec_text",
        "data2vec_text_classification",
        "data2vec_vision",
        "data2vec_image_classification",
    ],
)
def test_somebody_elses_class_under_our_name_is_an_error(name: str, monkeypatch: pytest.MonkeyPatch) -> None:  # B27
    monkeypatch.setitem(MODEL_REGISTRY, name, int)
    with pytest.raises(RuntimeError, match=f"`{name}` in fairseq's registry comes from builtins"):
        register_all()


@pytest.mark.parametrize("name", ["image_pretraining", "image_classification"])
def test_so_is_one_under_an_image_tasks_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:  # B27
    monkeypatch.setitem(TASK_REGISTRY, name, int)
    with pytest.raises(RuntimeError, match=f"`{name}` in fairseq's registry comes from builtins"):
        register_all()


@pytest.mark.parametrize(
    ("name", "group", "wrong", "meant"),
    [
        ("Data2VecAudioConfig", "models.audio_config", "mask_prop", "`model.mask_prob`"),
        ("Data2VecTextConfig", "models.text_config", "averge_top_k_layers", "`model.average_top_k_layers`"),
        ("Data2VecImageClassificationConfig", "models.image_classification_config", "mix_up", "`model.mixup`"),
        ("Data2VecVisionConfig", "models.vision_config", "rel_pos_biass", "`model.rel_pos_bias`"),
        ("MaskedTextConfig", "tasks.text_config", "mask_probs", "`task.mask_prob`"),
        ("ImagePretrainingConfig", "tasks.image_config", "imput_size", "`task.input_size`"),
        ("ImageClassificationConfig", "tasks.image_config", "autoaugment", "`task.auto_augment`"),
        ("AsrTaskConfig", "tasks.audio_config", "normalise", "`task.normalize`"),
        ("Data2VecCriterionConfig", "criterions.data2vec", "colapse_patience", "`criterion.collapse_patience`"),
    ],
)
def test_a_misspelt_key_is_told_what_was_meant(name: str, group: str, wrong: str, meant: str) -> None:
    from importlib import import_module

    from fairseq.dataclass import utils
    from omegaconf import OmegaConf

    dataclass: Any = getattr(import_module(f"data2vec_plugin.{group}"), name)
    with pytest.raises(UnknownKeyError, match=f"did you mean {meant}"):
        utils.merge_with_parent(dataclass, OmegaConf.create({wrong: 1}))


def test_keys_of_fairseqs_own_dataclasses_are_told_too() -> None:
    from fairseq.dataclass import utils
    from fairseq.models.wav2vec.wav2vec2_asr import Wav2Vec2CtcConfig
    from omegaconf import OmegaConf

    with pytest.raises(UnknownKeyError, match=r"did you mean `model.freeze_finetune_updates`"):
        utils.merge_with_parent(Wav2Vec2CtcConfig(), OmegaConf.create({"freeze_finetune_update": 1}))


def test_keys_within_a_key_are_told_in_full() -> None:
    from fairseq.dataclass import utils
    from omegaconf import OmegaConf

    from data2vec_plugin.models.text_config import Data2VecTextConfig

    nested = OmegaConf.create({"transformer": {"encoder": {"layer": 2}}})
    with pytest.raises(UnknownKeyError, match=r"did you mean `model.transformer.encoder.layers`"):
        utils.merge_with_parent(Data2VecTextConfig(), nested)
