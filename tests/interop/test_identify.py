"""What a loaded file is, told by names."""

from __future__ import annotations

from argparse import Namespace
from typing import Any, Dict

import pytest
import torch
from omegaconf import OmegaConf

from data2vec_plugin.interop.identify import as_mapping, identify, sections

W = torch.ones(1)


def of(name: str, **model: Any) -> Dict[str, Any]:
    return {"cfg": {"model": {"_name": name, **model}, "task": {"_name": "t"}}, "model": {}}


@pytest.mark.parametrize(
    ("state", "kind", "words"),
    [
        (of("data2vec_audio"), "pretrained", "of model `data2vec_audio` (data2vec for speech)"),
        (of("data2vec_text"), "pretrained", "of model `data2vec_text` (data2vec for text)"),
        (of("data2vec_vision"), "pretrained", "of model `data2vec_vision` (data2vec for images)"),
        (
            of("wav2vec_ctc", w2v_args={"model": {"_name": "data2vec_audio"}}),
            "fine-tuned",
            "of model `wav2vec_ctc` on `data2vec_audio` (speech recognition by CTC)",
        ),
        (
            of("wav2vec_seq2seq", w2v_args=Namespace(arch="data2vec_audio")),
            "fine-tuned",
            "of model `wav2vec_seq2seq` on `data2vec_audio` (speech recognition with a decoder)",
        ),
        (
            of("data2vec_image_classification", pretrained_model_args={"model": {"_name": "data2vec_vision"}}),
            "fine-tuned",
            "of model `data2vec_image_classification` on `data2vec_vision` (image classification)",
        ),
        (
            of("wav2vec_ctc", w2v_args={"model": {"_name": "wav2vec2"}}),
            "other",
            "of model `wav2vec_ctc` on `wav2vec2` (speech recognition by CTC)",
        ),
        (of("data2vec_multi"), "pretrained", "of model `data2vec_multi` (data2vec 2.0 for speech, text and image)"),
        (
            of("data2vec_multi", supported_modality="TEXT"),
            "pretrained",
            "of model `data2vec_multi` (data2vec 2.0 for text)",
        ),
        (
            {**of("data2vec_multi"), "model": {"modality_encoders.AUDIO.x": W, "modality_encoders.IMAGE.x": W}},
            "pretrained",
            "of model `data2vec_multi` (data2vec 2.0 for speech and image)",
        ),
        (
            of("wav2vec_ctc", w2v_args={"model": {"_name": "data2vec_multi"}}),
            "fine-tuned",
            "of model `wav2vec_ctc` on `data2vec_multi` (speech recognition by CTC, data2vec 2.0)",
        ),
        (
            of("mae_image_classification"),
            "other",
            "of model `mae_image_classification` (image classification)",
        ),
        (of("wav2vec2"), "other", "of model `wav2vec2` (wav2vec 2.0)"),
        (of("hubert"), "other", "of model `hubert` (HuBERT)"),
        (of("transformer_lm"), "other", "of model `transformer_lm`"),
        ({"args": Namespace(arch="wav2vec2", task="audio_pretraining")}, "other", "of model `wav2vec2` (wav2vec 2.0)"),
        ({"state": {}, "param_groups": []}, "optimizer", "the state of an optimizer, without a model"),
        (
            {"a": 1, "b": 2, "c": 3, "d": 4},
            "nothing",
            "a saved dictionary of `a`, `b`, `c` and 1 more, not a checkpoint",
        ),
        ({}, "nothing", "empty, not a checkpoint"),
        ([1, 2], "nothing", "a saved list, not a checkpoint"),
        (W, "nothing", "a saved Tensor, not a checkpoint"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_names_in_the_configuration(state: Any, kind: str, words: str) -> None:
    found = identify(state)
    assert (found.kind, found.words) == (kind, words)


@pytest.mark.parametrize(
    ("names", "kind", "words"),
    [
        (("modality_encoders.AUDIO.x",), "weights", "`data2vec_multi` (data2vec 2.0)"),
        (("w2v_encoder.w2v_model.mask_emb",), "weights", "`wav2vec_ctc` (speech recognition by CTC)"),
        (("quantizer.vars", "feature_extractor.conv_layers.0.0.weight"), "weights", "`wav2vec2` (wav2vec 2.0)"),
        (("label_embs_concat",), "weights", "`hubert` (HuBERT)"),
        (
            ("feature_extractor.conv_layers.0.0.weight", "encoder.pos_conv.0.0.weight"),
            "weights",
            "`data2vec_audio` (data2vec for speech)",
        ),
        (
            ("encoder.regression_head.0.weight", "encoder.sentence_encoder.layers.0.fc1.weight"),
            "weights",
            "`data2vec_text` (data2vec for text)",
        ),
        (("encoder.sentence_encoder.layers.0.fc1.weight",), "weights", "`roberta` (RoBERTa)"),
        (
            ("encoder.blocks.0.norm1.weight", "patch_embed.conv.weight"),
            "weights",
            "`data2vec_vision` (data2vec for images)",
        ),
        (("blocks.0.norm1.weight", "patch_embed.proj.weight"), "weights", "BEiT's weights without a configuration"),
        (("fc.weight", "fc.bias"), "weights", "2 weights without a configuration, such as `fc.weight`"),
        (
            ("data2vec_audio.encoder.layers.0.attention.k_proj.weight",),
            "huggingface",
            "Hugging Face weights of Data2VecAudio",
        ),
        (("embeddings.word_embeddings.weight",), "huggingface", "Hugging Face weights of text models"),
        (("feature_projection.projection.weight",), "huggingface", "Hugging Face weights of speech models"),
    ],
)
@pytest.mark.parametrize("nested", [True, False])
def test_names_of_weights(names: Any, kind: str, words: str, nested: bool) -> None:
    weights = dict.fromkeys(names, W)
    found = identify({"model": weights} if nested else weights)
    assert found.kind == kind
    assert words in found.words
    assert (found.model, found.modality) == ("", "")


def test_what_it_is_and_what_was_expected_make_a_sentence() -> None:
    assert identify(of("roberta")).message("give another") == "it is of model `roberta` (RoBERTa); give another"
    beit = identify({"model": {"blocks.0.x": W, "patch_embed.proj.weight": W}})
    assert beit.message("give another").endswith("; use them as `model_path` of `data2vec_image_classification`")


def test_the_encoder_says_what_it_hears_or_sees() -> None:
    fine_tuned = identify(of("wav2vec_ctc", w2v_args={"model": {"_name": "data2vec_audio"}}))
    assert (fine_tuned.model, fine_tuned.encoder, fine_tuned.modality) == ("wav2vec_ctc", "data2vec_audio", "speech")
    assert identify(of("wav2vec2")).modality == ""


def test_configurations_of_any_kind_are_read_and_what_they_lack_is_none() -> None:
    cfg = OmegaConf.create({"model": {"_name": "x", "path": "???", "far": "${away.from.here}"}, "task": None})
    model, task = sections({"cfg": cfg})
    assert (model, task) == ({"_name": "x", "path": None, "far": None}, {})
    assert as_mapping(Namespace(a=1)) == {"a": 1}
    assert as_mapping("text") == {}


def test_flat_arguments_stand_for_model_and_task() -> None:
    model, task = sections({"args": Namespace(arch="wav2vec2", task="audio_pretraining", normalize=True)})
    assert (model["_name"], task["_name"], task["normalize"]) == ("wav2vec2", "audio_pretraining", True)
    assert sections({"args": None, "cfg": None}) == ({}, {})
