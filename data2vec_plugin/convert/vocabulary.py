"""Extracts a fairseq dictionary and its subword model from a Hugging Face tokenizer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

from ..data.text.subwords import GPT2_FILES
from ..features.text_files import masked_dictionary
from ..files.text.dictionaries import normal_text
from ..files.text.json_files import read_json
from ..files.text.text_lines import read_text
from .byte_pairs import merge_lines
from .modality import Beside, Given
from .tokenizers import DICTIONARY, PIECES, dictionary_text

FIRST = ("<s>", "<pad>", "</s>", "<unk>")
MASK = "<mask>"


def read_vocabulary(beside: Beside, folder: Path, size: int, given: Given) -> None:
    """Add dict.txt, and encoder.json with vocab.bpe for byte pairs, to the files; ``size`` is the embedding's.

    Raises ValueError for a vocabulary that does not match the embedding, or does not begin like fairseq's.
    """
    names, merges = read_tokenizer(folder)
    path = given.dictionary or (folder / DICTIONARY if (folder / DICTIONARY).is_file() else None)
    if path is not None and not path.is_file():
        raise ValueError(f"`--dict`: {path} does not exist")
    if path is None and not names:
        beside.notes.append(f"{folder} holds no tokenizer: put its {DICTIONARY} next to the checkpoint")
        return
    symbols = _complete(folder, names, size) if path is None else list(masked_dictionary(path, size).symbols)
    if merges is not None:
        encoder = _encoder(names, symbols, given)
        symbols = [str(encoder.get(symbol, symbol)) for symbol in symbols] if path is None else symbols
        beside.files["encoder.json"] = json.dumps(encoder)
        beside.files["vocab.bpe"] = "\n".join(["#version: 0.2", *merge_lines(merges), ""])
    if path is not None:
        beside.files[DICTIONARY] = normal_text(path)
    else:
        beside.files[DICTIONARY] = dictionary_text(symbols)
    if (folder / PIECES).is_file():
        beside.copies[PIECES] = folder / PIECES


def _encoder(names: Sequence[str], symbols: Sequence[str], given: Given) -> Dict[str, int]:
    """Numbers of byte pairs: GPT-2's if given, the dictionary's if it holds any, or else their rows."""
    if given.gpt2_bpe is not None:
        return {name: int(number) for name, number in read_json(given.gpt2_bpe / GPT2_FILES[0]).items()}
    if symbols[: len(names)] != names:
        return {name: int(symbol) for name, symbol in zip(names, symbols) if symbol.isdigit()}
    return {name: row for row, name in enumerate(names) if name not in (*FIRST, MASK)}


def read_tokenizer(folder: Path) -> Tuple[List[str], Optional[str]]:
    """(Symbols in the order of their ids, merges of byte pairs or None); no symbols if there is no tokenizer."""
    if (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        rows = read_json(folder / "vocab.json")
        return in_order(folder, {**rows, **_added(folder)}), read_text(folder / "merges.txt")
    if not (folder / "tokenizer.json").is_file():
        return [], None
    content = read_json(folder / "tokenizer.json")
    model, added = content["model"], {token["content"]: token["id"] for token in content.get("added_tokens", [])}
    if model["type"] == "Unigram":
        return in_order(folder, {**{name: row for row, (name, _) in enumerate(model["vocab"])}, **added}), None
    if model["type"] != "BPE":
        raise ValueError(
            f"{folder / 'tokenizer.json'} is of kind {model['type']}; only BPE and Unigram can be converted"
        )
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    return in_order(folder, {**model["vocab"], **added}), "\n".join(merges)


def in_order(folder: Path, rows: Dict[str, int]) -> List[str]:
    """Symbols by id; raises ValueError for an id without a symbol."""
    names = {row: name for name, row in rows.items()}
    missing = [row for row in range(len(names)) if row not in names]
    if missing:
        raise ValueError(
            f"{folder}: its tokenizer has no symbol for id {missing[0]}; give a dictionary with `--dict FILE`"
        )
    return [names[row] for row in range(len(names))]


def _added(folder: Path) -> Dict[str, int]:
    path = folder / "added_tokens.json"
    return dict(read_json(path)) if path.is_file() else {}


def _complete(folder: Path, names: Sequence[str], size: int) -> List[str]:
    """The symbols of a dictionary of ``size``, padded as fairseq does."""
    if tuple(names[: len(FIRST)]) != FIRST or MASK not in names:
        raise ValueError(
            f"{folder}: its vocabulary begins with {', '.join(names[: len(FIRST)])}; a fairseq dictionary begins with "
            f"{', '.join(FIRST)} and holds {MASK}, so rows of the embedding would have to move"
        )
    if len(names) > size:
        raise ValueError(f"{folder}: its tokenizer has {len(names)} symbols, but `vocab_size` is {size}")
    return [*names, *(f"madeupword{number:04d}" for number in range(size - len(names)))]
