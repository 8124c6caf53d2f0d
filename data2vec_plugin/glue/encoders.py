"""Encodes sentences to dictionary symbols, with the encoders of the text task."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

from ..data.text.subwords import GPT2_FILES, Gpt2Bpe, SentencePiece

Encode = Callable[[str], "list[str]"]


def gpt2_bpe(folder: Path) -> Encode:
    """GPT-2's BPE from a folder with encoder.json and vocab.bpe."""
    return Gpt2Bpe(*(folder / name for name in GPT2_FILES)).encode


def sentencepiece(model: Path) -> Encode:
    """The pieces of a SentencePiece model."""
    return SentencePiece(model).encode
