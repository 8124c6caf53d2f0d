"""What there is to say of a checkpoint."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict

import pytest
import torch
from checkpoints.recorded import changed, to_arguments
from features.made import classification_checkpoint, ctc_checkpoint, speech_checkpoint, text_checkpoint
from parity.cases import HERE

from data2vec_plugin.checkpoints.summary import summarise

RECORDED: Dict[str, Dict[str, Any]] = {
    "official_style_audio/checkpoint.pt": {
        "kind": "pretrained",
        "modality": "speech",
        "precision": "float32",
        "task": "audio_pretraining",
        "updates": 400_000,
        "epoch": 4,
        "normalize": True,
        "symbols": None,
        "teacher": True,
        "teacher_updates": 399_999,
        "optimizer": None,
        "written_by": "fairseq's trainer",
    },
    "official_style_audio_ctc/checkpoint_fp16.pt": {
        "kind": "fine-tuned",
        "model": "wav2vec_ctc",
        "encoder": "data2vec_audio",
        "precision": "float16",
        "normalize": True,
        "symbols": 32,
        "teacher": False,
        "fine_tuned_from": "/path/to/pretrained.pt",
    },
    "official_style_text/checkpoint.pt": {"modality": "text", "symbols": 60, "normalize": None, "teacher": True},
    "official_style_vision/checkpoint.pt": {"modality": "image", "task": "image_pretraining", "updates": 375_300},
    "official_style_vision/checkpoint_converted.pt": {"modality": "image", "teacher": False, "teacher_updates": None},
}


@pytest.mark.parametrize("name", RECORDED)
def test_upstreams_checkpoints(name: str) -> None:
    facts = asdict(summarise(HERE / name))
    sizes = {"layers": 3, "width": 32, "heads": 4}
    assert {key: facts[key] for key in {**RECORDED[name], **sizes}} == {**RECORDED[name], **sizes}
    assert facts["parameters"] > 30_000
    assert all("/path/to" in path or "/tmp" in path for path in facts["missing_paths"])


def test_arguments_tell_the_same_as_a_configuration(tmp_path: Path) -> None:
    old = asdict(summarise(changed("official_style_audio_ctc", tmp_path, to_arguments)))
    new = asdict(summarise(HERE / "official_style_audio_ctc" / "checkpoint.pt"))
    own = {"file", "bytes", "written_by", "missing_paths"}
    assert {key: old[key] for key in old.keys() - own} == {key: new[key] for key in new.keys() - own}
    assert old["written_by"] == "fairseq's trainer before 0.10.2 (`args`)"


def test_a_checkpoint_of_ours_says_so(tmp_path: Path) -> None:
    speech_checkpoint(tmp_path / "model.pt")
    state = torch.load(tmp_path / "model.pt", weights_only=False)
    state["last_optimizer_state"] = {"state": {}}
    torch.save(state, tmp_path / "model.pt")
    facts = summarise(tmp_path / "model.pt")
    assert (facts.written_by, facts.teacher_updates) == ("fairseq's trainer with this package, layout 2", 2)
    assert (facts.optimizer, facts.updates, facts.missing_paths) == ("O", 2, [])


def test_heads_that_a_configuration_leaves_out_are_the_models_default(tmp_path: Path) -> None:
    path = changed("official_style_audio", tmp_path, lambda state: state["cfg"]["model"].pop("encoder_attention_heads"))
    assert summarise(path).heads == 12


def test_the_older_format_is_read_too(tmp_path: Path) -> None:
    state = torch.load(HERE / "official_style_text" / "checkpoint.pt", weights_only=False)
    torch.save(state, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert summarise(tmp_path / "old.pt").symbols == 60


def test_fine_tuned_models_of_ours(tmp_path: Path) -> None:
    ctc_checkpoint(tmp_path / "ctc.pt")
    assert summarise(tmp_path / "ctc.pt").symbols == 5
    text_checkpoint(tmp_path / "text.pt")
    classification_checkpoint(tmp_path / "class.pt", tmp_path / "text.pt")
    facts = summarise(tmp_path / "class.pt")
    assert (facts.kind, facts.modality, facts.layers, facts.width, facts.heads) == ("fine-tuned", "text", 3, 16, 4)


def test_hugging_faces_folders_and_files(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    config = {"model_type": "data2vec-audio", "architectures": ["Data2VecAudioModel"], "hidden_size": 768}
    (tmp_path / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 12, "vocab_size": 32}))
    save_file({"data2vec_audio.encoder.x": torch.zeros(2, 3).half()}, tmp_path / "model.safetensors")
    folder, file = summarise(tmp_path), summarise(tmp_path / "model.safetensors")
    assert (folder.words, folder.layers, folder.width) == ("a Hugging Face folder of `Data2VecAudioModel`", 12, 768)
    assert (file.kind, file.parameters, file.precision) == ("huggingface", 6, "f16")
    assert folder.advice == "convert the folder with `data2vec convert FOLDER --to fairseq --out FILE`"
    assert "data2vec convert" in file.advice


def test_weights_alone(tmp_path: Path) -> None:
    facts = summarise(HERE / "official_style_vision" / "checkpoint_beit.pt")
    assert (facts.kind, facts.layers, facts.task, facts.updates) == ("weights", 3, "", None)
    torch.save([1], tmp_path / "list.pt")
    assert summarise(tmp_path / "list.pt").kind == "nothing"


def test_a_folder_of_another_architecture_is_not_sent_to_conversion(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert", "architectures": ["BertModel"]}))
    facts = summarise(tmp_path)
    assert facts.words == "a Hugging Face folder of `BertModel`"
    assert facts.advice.startswith("`data2vec convert` supports folders of model type data2vec-audio")
