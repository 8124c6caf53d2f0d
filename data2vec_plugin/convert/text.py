"""Text: the tokenizer for a dictionary, and a classifier on the first token."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from ..checkpoints.encoder_checkpoint import Checkpoint
from ..data.text.dictionary_file import load_dictionary
from ..features.text_files import DICTIONARY, found_subwords, masked_dictionary, subword_files, trained_on
from ..features.text_files import Given as Subwords
from ..files.text.dictionaries import normal_text
from ..interop.fairseq import text_v1
from ..interop.huggingface import text as hf_text
from ..interop.huggingface.keys import refuse_beyond
from .classes import keep_names, name_classes
from .modality import Beside, Given, Keys, Weights
from .tokenizers import from_byte_pairs, from_pieces
from .vocabulary import read_vocabulary

NAMES, LAYOUT = hf_text, text_v1
CLASSIFIER, HEADS = "data2vec_text_classification", "classification_heads."
NEW_HEAD = "sentence_classification_head"
"""The name of the head in fairseq's `sentence_prediction`."""
LAYERS = ("dense.weight", "dense.bias", "out_proj.weight", "out_proj.bias")
THEIR_HEAD: Dict[str, Any] = {
    "token_level": False,
    "spectral_norm_classification_head": False,
    "pooler_activation_fn": "tanh",
}
"""Keys of a fine-tuned model for which Hugging Face's head supports only one value."""


def kind(checkpoint: Checkpoint) -> str:
    """``classification`` if there is a head, also in a fine-tuned ``data2vec_text``."""
    return "classification" if heads(checkpoint) else "base"


def heads(checkpoint: Checkpoint) -> Dict[str, Weights]:
    """Classification heads by name."""
    found: Dict[str, Weights] = {}
    weights = checkpoint.head if checkpoint.fine_tuned else checkpoint.weights
    for key, value in weights.items():
        if key.startswith(HEADS):
            name, _, layer = key[len(HEADS) :].partition(".")
            found.setdefault(name, {})[layer] = value
    return found


def chosen_head(checkpoint: Checkpoint) -> Weights:
    """The only head, or the task's; raises ValueError if there are several and the task names none."""
    found = heads(checkpoint)
    name = str(checkpoint.task.get("classification_head_name"))
    if len(found) > 1 and name not in found:
        raise ValueError(
            f"checkpoint {checkpoint.path} holds the heads {', '.join(sorted(found))}, and its task names none of "
            f"them; Hugging Face's model has one: save the checkpoint with only that one"
        )
    return found[name] if name in found else next(iter(found.values()))


def head(checkpoint: Checkpoint, given: Given) -> Weights:
    """The two layers of the head; raises ValueError for a head that Hugging Face's model does not support."""
    if kind(checkpoint) == "base":
        return {}
    refuse_beyond(THEIR_HEAD, {**THEIR_HEAD, **checkpoint.model}, "Hugging Face's Data2VecText", "model.")
    layers = chosen_head(checkpoint)
    if set(layers) != set(LAYERS) or layers["dense.weight"].size(0) != layers["dense.weight"].size(1):
        raise ValueError(
            f"checkpoint {checkpoint.path}: its head holds {', '.join(sorted(layers))}; expected RoBERTa's, with "
            f"{LAYERS[0]} as wide as the encoder"
        )
    return {f"head.{name}": value.float() for name, value in layers.items()}


def write_extras(folder: Path, checkpoint: Checkpoint, kind: str, given: Given) -> Beside:
    """The tokenizer, if its files are found; for a classifier, the class names."""
    size = text_v1.vocabulary_size(checkpoint.weights)
    beside = Beside(keys={"vocab_size": size})
    folders = [checkpoint.path.parent, *trained_on(checkpoint.task)]
    dictionary, path = find_dictionary(checkpoint, given, folders, size)
    if dictionary is None:
        beside.notes.append(f"no tokenizer was written, since {DICTIONARY} was not found: give it with `--dict FILE`")
    else:
        if path is not None:
            beside.files[DICTIONARY] = normal_text(path)  # for converting back
        places = [*([path.parent] if path else []), *folders]
        _write_tokenizer(beside, list(dictionary.symbols), checkpoint, given, places)
    if kind == "classification":
        _write_classes(beside, checkpoint, given)
    else:
        beside.notes.append("it has no pooler, which data2vec does not train: load it with add_pooling_layer=False")
    return beside


def find_dictionary(checkpoint: Checkpoint, given: Given, folders: List[Path], size: int) -> Tuple[Any, Optional[Path]]:
    """The dictionary from the command line, the checkpoint, or a folder, and its location; or None.

    Raises ValueError if its size is not that of the embedding.
    """
    inside = checkpoint.state.get("source_dictionary") or checkpoint.state.get("dictionary")
    if given.dictionary is None and inside is not None and len(inside) == size:
        return inside, None
    path = given.dictionary or next((f / DICTIONARY for f in folders if (f / DICTIONARY).is_file()), None)
    if path is not None and not path.is_file():
        raise ValueError(f"`--dict`: {path} does not exist")
    return (None, None) if path is None else (masked_dictionary(path, size), path)


def _write_tokenizer(
    beside: Beside, symbols: List[str], checkpoint: Checkpoint, given: Given, places: List[Path]
) -> None:
    longest = int(checkpoint.root["model"]["transformer"]["max_source_positions"])
    wanted = Subwords(sentencepiece=given.sentencepiece, gpt2_bpe=given.gpt2_bpe)
    if wanted == Subwords() and not any(found_subwords(checkpoint.task, places)):
        beside.notes.append(
            "no tokenizer was written, since no subword model was found: give `--sentencepiece MODEL` or "
            "`--gpt2-bpe FOLDER`"
        )
        return
    by, files = subword_files(wanted, checkpoint.task, places)
    try:
        made = from_byte_pairs(symbols, *files) if by == "gpt2" else from_pieces(symbols, *files)
    except ValueError as error:
        beside.notes.append(f"no tokenizer was written: {error}")
        return
    beside.files.update(made.files(longest))
    beside.copies.update(made.copies)
    beside.notes.append(f"{len(symbols):,} symbols, tokenised by {' and '.join(str(file) for file in files)}")


def _write_classes(beside: Beside, checkpoint: Checkpoint, given: Given) -> None:
    """Class names, and whether they are known."""
    count = len(chosen_head(checkpoint)["out_proj.bias"])
    beside.keys["classifier_dropout"] = float(checkpoint.model.get("pooler_dropout") or 0.0)
    if checkpoint.task.get("regression_target") or count == 1:
        beside.keys.update(num_labels=count, problem_type="regression")
        return
    paths = [folder / "label" / DICTIONARY for folder in trained_on(checkpoint.task)]
    path = next((path for path in paths if path.is_file()), None)
    names = None
    if path is not None:
        labels = load_dictionary(path)
        found = labels.symbols[labels.nspecial :]  # padding to a round size may follow
        names = found[:count] if len(found) >= count else None
    name_classes(beside, count, given.labels, names)


def read_extras(folder: Path, hf: Keys, kind: str, given: Given) -> Beside:
    """The task's section, the dictionary and its subword model; for a classifier, its classes."""
    longest = NAMES.config_from_hf(hf, kind)["max_positions"]
    beside = Beside(keys={"_name": "masked_lm", "data": "", "tokens_per_sample": longest})
    read_vocabulary(beside, folder, int(hf.get("vocab_size", 30522)), given)
    if kind == "classification":
        count = keep_names(beside, hf)
        regression = hf.get("problem_type") == "regression" or count == 1
        task = {"_name": "sentence_prediction", "data": "", "num_classes": count, "max_positions": longest}
        beside.keys = {**task, "classification_head_name": NEW_HEAD, "regression_target": regression}
    return beside


def fine_tuned(section: Keys, state: Weights, beside: Beside) -> Tuple[Keys, Weights]:
    """``data2vec_text_classification`` around the encoder."""
    weights: Dict[str, Any] = {f"{HEADS}{NEW_HEAD}.{name}": state.pop(f"head.{name}") for name in LAYERS}
    LAYOUT.to_upstream(state)
    weights.update({f"model.{name}": value for name, value in state.items()})
    return {"_name": CLASSIFIER, "model_path": "", "pretrained_model_args": {"model": section}}, weights
