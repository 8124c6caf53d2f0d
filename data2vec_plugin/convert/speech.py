"""Speech: normalisation of audio, and the symbols of CTC outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Tuple

from fairseq.data import Dictionary

from ..checkpoints.encoder_checkpoint import Checkpoint
from ..data.text.dictionary_file import load_dictionary
from ..files.text.json_files import read_json
from ..interop.fairseq import audio_v1
from ..interop.huggingface import audio as hf_audio
from ..interop.huggingface.ctc import WORDS, outputs, rearranged, vocabulary
from .folder import json_text
from .modality import Beside, Given, Keys, Weights

NAMES, LAYOUT = hf_audio, audio_v1
HEAD = {"w2v_encoder.proj.weight": "head.weight", "w2v_encoder.proj.bias": "head.bias"}
ENCODER = "w2v_encoder.w2v_model."
DICTIONARY = "dict.ltr.txt"
EXTRACTOR, PROCESSOR = "preprocessor_config.json", "processor_config.json"
VOCABULARY, TOKENIZER = "vocab.json", "tokenizer_config.json"
SPECIAL_TOKENS = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
MASKING = (
    ("mask_prob", "mask_time_prob"),
    ("mask_length", "mask_time_length"),
    ("mask_channel_prob", "mask_feature_prob"),
    ("mask_channel_length", "mask_feature_length"),
)
"""Keys of fine-tuning; pre-training masks differently, so a base model keeps Hugging Face's defaults."""


def kind(checkpoint: Checkpoint) -> str:
    """``base`` or ``ctc``; raises ValueError for a model with a decoder."""
    name = checkpoint.model.get("_name")
    if checkpoint.fine_tuned and name != "wav2vec_ctc":
        raise ValueError(
            f"checkpoint {checkpoint.path} is a `{name}`; of fine-tuned models, only wav2vec_ctc can be converted"
        )
    return "ctc" if checkpoint.fine_tuned else "base"


def head(checkpoint: Checkpoint, given: Given) -> Weights:
    """The linear layer of CTC."""
    absent = [name for name in HEAD if checkpoint.fine_tuned and name not in checkpoint.head]
    if absent:
        raise ValueError(f"checkpoint {checkpoint.path} lacks `{absent[0]}`; its outputs cannot be converted")
    return {HEAD[name]: value.float() for name, value in checkpoint.head.items() if name in HEAD}


def write_extras(folder: Path, checkpoint: Checkpoint, kind: str, given: Given) -> Beside:
    """The feature extractor, and for CTC the tokenizer."""
    task = checkpoint.task
    rate, normalize = int(task.get("sample_rate") or 16_000), bool(task.get("normalize", False))
    extractor = {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "feature_size": 1, "sampling_rate": rate}
    extractor.update(padding_value=0.0, padding_side="right", do_normalize=normalize, return_attention_mask=True)
    beside = Beside(notes=[f"audio of {rate:,} Hz, {'normalised' if normalize else 'not normalised'}"])
    if normalize:
        beside.notes.append(
            "transformers normalises with an epsilon of 1e-7, fairseq with 1e-5: quiet clips become louder"
        )
    if kind == "ctc":
        extractor["processor_class"] = "Wav2Vec2Processor"
        _write_tokenizer(beside, checkpoint, given)
    beside.files[EXTRACTOR] = json_text(extractor)
    return beside


def _write_tokenizer(beside: Beside, checkpoint: Checkpoint, given: Given) -> None:
    dictionary = find_dictionary(checkpoint, given)
    symbols = list(dictionary.symbols)
    beside.files[VOCABULARY] = json_text(vocabulary(symbols))
    settings: Keys = {
        "tokenizer_class": "Wav2Vec2CTCTokenizer",
        "processor_class": "Wav2Vec2Processor",
        **SPECIAL_TOKENS,
    }
    settings.update(do_lower_case=False, word_delimiter_token=WORDS, replace_word_delimiter_char=" ")
    beside.files[TOKENIZER] = json_text(settings)
    beside.files["special_tokens_map.json"] = json_text(SPECIAL_TOKENS)
    model = checkpoint.model
    masking = {theirs: checkpoint.root["model"][ours] for ours, theirs in MASKING if ours in checkpoint.root["model"]}
    if not masking.get("mask_time_prob") and not masking.get("mask_feature_prob"):
        masking = {}  # with neither, Hugging Face's model has no mask embedding
    beside.keys = {
        "vocab_size": len(symbols),
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "final_dropout": float(model.get("final_dropout", 0.0)),
        "apply_spec_augment": bool(masking) and bool(model.get("apply_mask", False)),
        **masking,
    }
    beside.notes.append(f"{len(symbols)} symbols of CTC; the blank, row 0, becomes <pad>")
    if WORDS not in symbols:
        beside.notes.append(f"no symbol {WORDS} between words: the tokenizer joins symbols as they are")
    if model.get("blank_weight"):
        beside.notes.append(f"`blank_weight` {model['blank_weight']} is dropped: it belongs to decoding")


def find_dictionary(checkpoint: Checkpoint, given: Given) -> Any:
    """The given dictionary, or the one in or next to the checkpoint; raises ValueError if its size differs."""
    rows = len(checkpoint.head["w2v_encoder.proj.weight"])
    beside = checkpoint.path.with_name(DICTIONARY)
    path = given.dictionary or (beside if beside.is_file() else None)
    inside = checkpoint.state.get("target_dictionary")
    if given.dictionary is None and inside is not None:
        dictionary, name = inside, "its dictionary"
    elif path is None:
        raise ValueError(
            f"checkpoint {checkpoint.path} holds no dictionary; give the one of its labels with `--dict FILE`"
        )
    else:
        dictionary, name = read_dictionary(path), str(path)
    if len(dictionary) != rows:
        raise ValueError(
            f"{name} has {len(dictionary)} symbols, but checkpoint {checkpoint.path} has {rows} outputs; give the "
            f"right one with `--dict FILE`"
        )
    return dictionary


def read_dictionary(path: Path) -> Any:
    """A dictionary's file; raises ValueError if it does not exist."""
    if not path.is_file():
        raise ValueError(f"`--dict`: {path} does not exist")
    return load_dictionary(path)


def read_extras(folder: Path, hf: Keys, kind: str, given: Given) -> Beside:
    """The task's section, and for CTC the dictionary."""
    extractor = read_extractor(folder)
    normalize, rate = bool(extractor.get("do_normalize", True)), int(extractor.get("sampling_rate", 16_000))
    task = {"_name": "audio_pretraining", "data": "", "normalize": normalize, "sample_rate": rate}
    beside = Beside(keys=task, notes=[f"audio of {rate:,} Hz, {'normalised' if normalize else 'not normalised'}"])
    if not extractor:
        beside.notes[0] += f", which is the default, since there is no {EXTRACTOR}"
    if kind == "ctc":
        task.update(_name="audio_finetuning", labels="ltr")
        _read_tokenizer(beside, folder, hf, given)
    return beside


def read_extractor(folder: Path) -> Keys:
    """The feature extractor's settings, which newer releases store with the processor's; empty if there are none."""
    if (folder / EXTRACTOR).is_file():
        return read_json(folder / EXTRACTOR)
    found = read_json(folder / PROCESSOR) if (folder / PROCESSOR).is_file() else {}
    return dict(found.get("feature_extractor") or {})


def _read_tokenizer(beside: Beside, folder: Path, hf: Keys, given: Given) -> None:
    if given.dictionary is not None:
        dictionary = read_dictionary(given.dictionary)
    else:
        vocab, tokens = read_vocabulary(folder)
        size = int(hf.get("vocab_size", 32))
        # a tokenizer may have added special tokens that the model has no outputs for
        vocab = {symbol: row for symbol, row in vocab.items() if row < size}
        try:
            symbols, beside.rows = outputs(vocab, tokens, int(hf.get("pad_token_id") or 0), size)
        except ValueError as error:
            raise ValueError(f"{folder / VOCABULARY}: {error}; give a dictionary with `--dict FILE`") from error
        dictionary = Dictionary()
        for symbol in symbols[dictionary.nspecial :]:
            dictionary.add_symbol(symbol)
        if None in beside.rows:
            beside.notes.append("outputs for symbols that fairseq's dictionary adds are never chosen")
    beside.state["target_dictionary"] = dictionary
    beside.files[DICTIONARY] = "".join(f"{symbol} 1\n" for symbol in dictionary.symbols[dictionary.nspecial :])


def read_vocabulary(folder: Path) -> Tuple[Dict[str, int], Keys]:
    """Symbols by row and the tokenizer's settings; raises ValueError if there are none."""
    if not (folder / VOCABULARY).is_file():
        raise ValueError(f"{folder} holds no {VOCABULARY}; give the dictionary of its labels with `--dict FILE`")
    vocab: Dict[str, Any] = read_json(folder / VOCABULARY)
    settings: Keys = {**SPECIAL_TOKENS}
    for name in ("special_tokens_map.json", TOKENIZER):
        settings.update(read_json(folder / name) if (folder / name).is_file() else {})
    if (folder / "added_tokens.json").is_file():
        vocab.update(read_json(folder / "added_tokens.json"))
    added = settings.get("added_tokens_decoder") or {}
    vocab.update({token["content"]: int(row) for row, token in added.items()})
    if not all(isinstance(row, int) for row in vocab.values()):
        raise ValueError(f"{folder / VOCABULARY} holds several vocabularies; give the dictionary with `--dict FILE`")
    return vocab, {name: _content(value) for name, value in settings.items()}


def _content(token: Any) -> Any:
    """A Hugging Face token is a string, or an object that holds one."""
    return token.get("content", token) if isinstance(token, dict) else token


def fine_tuned(section: Keys, state: Weights, beside: Beside) -> Tuple[Keys, Weights]:
    """fairseq's ``wav2vec_ctc`` around the encoder."""
    weight, bias = (state.pop(f"head.{name}").float() for name in ("weight", "bias"))
    size = len(beside.state["target_dictionary"])
    if beside.rows is None and len(weight) != size:
        raise ValueError(f"`--dict`: it has {size} symbols, but the model has {len(weight)} outputs")
    moved = rearranged(weight, bias, beside.rows or range(size))
    audio_v1.to_upstream(state)
    weights = {ENCODER + name: value for name, value in state.items()}
    weights.update({f"w2v_encoder.proj.{name}": value for name, value in moved.items()})
    normalize = beside.keys["normalize"]
    pretraining = {"_name": "audio_pretraining", "data": "", "normalize": normalize}
    keys = {
        "_name": "wav2vec_ctc",
        "w2v_path": "",
        "w2v_args": {"model": section, "task": pretraining, "criterion": None, "lr_scheduler": None},
        "normalize": normalize,
        "data": "",
        "ddp_backend": "legacy_ddp",
    }
    return keys, weights
