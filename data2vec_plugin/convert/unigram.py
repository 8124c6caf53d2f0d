"""Converts a SentencePiece unigram model with a fairseq dictionary to the tokenizer.json of a fast tokenizer."""

from __future__ import annotations

import base64
from typing import Any, Dict, List, Sequence

from .sentencepiece_file import Pieces

SPACE = "\u2581"
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


def tokenizer(symbols: Sequence[str], pieces: Pieces) -> Dict[str, Any]:
    """The format of the library `tokenizers`; ids are the dictionary's rows, a text is between ``<s>`` and ``</s>``.

    Raises ValueError if the dictionary lacks a piece: a tokenizer requires a row for each.
    """
    missing = sorted(set(pieces.scores) - set(symbols))
    if missing:
        raise ValueError(
            f"the dictionary lacks {len(missing)} pieces of the SentencePiece model, such as {missing[0]!r}"
        )
    # symbols that occur in no text get the score of the rarest piece, since the unknown's score follows from that
    least = min(pieces.scores.values())
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_added(row, name) for row, name in enumerate(symbols) if name in SPECIAL],
        "normalizer": {"type": "Sequence", "normalizers": _normalizers(pieces)},
        "pre_tokenizer": None,
        "post_processor": _between(symbols),
        "decoder": {"type": "Sequence", "decoders": _decoders()},
        "model": {
            "type": "Unigram",
            "unk_id": symbols.index("<unk>"),
            "vocab": [[name, pieces.scores.get(name, least)] for name in symbols],
            "byte_fallback": False,
        },
    }


def _normalizers(pieces: Pieces) -> List[Dict[str, Any]]:
    steps: List[Dict[str, Any]] = []
    if pieces.characters:
        steps.append({"type": "Precompiled", "precompiled_charsmap": base64.b64encode(pieces.characters).decode()})
    if pieces.trimmed:
        steps.append({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "})
        steps.append({"type": "Strip", "strip_left": True, "strip_right": True})
    if pieces.prefix:
        steps.append({"type": "Prepend", "prepend": SPACE})
    return [*steps, {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}]


def _decoders() -> List[Dict[str, Any]]:
    spaces = {"type": "Replace", "pattern": {"String": SPACE}, "content": " "}
    return [spaces, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]


def _between(symbols: Sequence[str]) -> Dict[str, Any]:
    """``<s> A </s>``, and for a pair ``<s> A </s></s> B </s>``, as fairseq joins sentences; all of type 0."""
    start, end = ({"SpecialToken": {"id": name, "type_id": 0}} for name in ("<s>", "</s>"))
    first, second = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    rows = {name: {"id": name, "ids": [symbols.index(name)], "tokens": [name]} for name in ("<s>", "</s>")}
    return {
        "type": "TemplateProcessing",
        "single": [start, first, end],
        "pair": [start, first, end, end, second, end],
        "special_tokens": rows,
    }


def _added(row: int, name: str) -> Dict[str, Any]:
    return {
        "id": row,
        "content": name,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": True,
    }
