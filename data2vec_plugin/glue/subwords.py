"""Sentences to subwords: GPT-2's byte pairs or a SentencePiece model, from local files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Callable

GPT2_FILES = ("encoder.json", "vocab.bpe")

Encode = Callable[[str], "list[str]"]  # a sentence to the symbols that the dictionary knows


def gpt2_bpe(folder: Path) -> Encode:
    """GPT-2's byte pair encoding, by fairseq's own encoder; its symbols are numbers.

    Raises:
        ValueError: a file is missing or damaged, or the two do not belong together (when a sentence shows it).
    """
    for name in GPT2_FILES:
        if not (folder / name).is_file():
            raise ValueError(f"{folder / name}: no such file; GPT-2's BPE is a folder with {' and '.join(GPT2_FILES)}")
    from fairseq.data.encoders.gpt2_bpe_utils import get_encoder

    try:
        encoder = get_encoder(*(str(folder / name) for name in GPT2_FILES))
    except ImportError as error:
        raise ValueError("GPT-2's BPE needs the package regex: pip install regex") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{folder}: {' or '.join(GPT2_FILES)} is damaged ({error}); get them again") from error

    def encode(sentence: str) -> list[str]:
        try:
            return [str(number) for number in encoder.encode(sentence)]
        except KeyError as error:
            raise ValueError(
                f"{folder}: {GPT2_FILES[1]} makes the symbol {error}, which {GPT2_FILES[0]} does not have; "
                "take both from the same model"
            ) from error

    return encode


def sentencepiece(model: Path) -> Encode:
    """The pieces of a SentencePiece model.

    Raises:
        ValueError: the file is missing or no model, or the package is not installed.
    """
    if not model.is_file():
        raise ValueError(f"{model}: no such file; expected a SentencePiece model (….model)")
    try:
        from sentencepiece import SentencePieceProcessor
    except ImportError as error:
        raise ValueError("--sentencepiece needs the package: pip install sentencepiece") from error
    processor = SentencePieceProcessor()
    try:
        processor.Load(str(model))
    except (RuntimeError, OSError) as error:
        raise ValueError(f"{model}: no SentencePiece model ({error}); expected the .model file, not .vocab") from error

    def encode(sentence: str) -> list[str]:
        return list(processor.EncodeAsPieces(sentence))

    return encode
