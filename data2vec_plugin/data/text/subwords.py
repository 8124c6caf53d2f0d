"""Subword encoders from local files: GPT-2's byte pairs, SentencePiece, or text that is already split."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, List, Protocol

import numpy as np
from numpy.typing import NDArray

GPT2_FILES = ("encoder.json", "vocab.bpe")


class Subwords(Protocol):
    """Splits text into symbols of a dictionary."""

    def encode(self, text: str) -> List[str]:
        """The symbols of a line."""

    def decode(self, symbols: List[str]) -> str:
        """The text of symbols."""

    def starts_word(self, symbol: str) -> bool:
        """Whether a symbol begins a word."""


class Spaces:
    """Text that is already split into symbols, each of them a word."""

    def encode(self, text: str) -> List[str]:
        """Split a line at whitespace."""
        return text.split()

    def decode(self, symbols: List[str]) -> str:
        """The symbols, with spaces between them."""
        return " ".join(symbols)

    def starts_word(self, symbol: str) -> bool:
        """Return True, since each symbol is a word."""
        return True


class SentencePiece:
    """The pieces of a SentencePiece model. Raises ValueError if the file is missing or no model."""

    def __init__(self, model: Path) -> None:
        if not model.is_file():
            raise ValueError(f"{model}: no such file; expected a SentencePiece model (….model)")
        try:
            from sentencepiece import SentencePieceProcessor
        except ImportError as error:
            raise ValueError("SentencePiece needs the package: pip install sentencepiece") from error
        self.processor = SentencePieceProcessor()
        try:
            self.processor.Load(str(model))
        except (RuntimeError, OSError) as error:
            raise ValueError(
                f"{model}: not a SentencePiece model ({error}); expected the .model file, not .vocab"
            ) from error

    def encode(self, text: str) -> List[str]:
        """Pieces, the first of a word beginning with U+2581."""
        return list(self.processor.EncodeAsPieces(text))

    def decode(self, symbols: List[str]) -> str:
        """The text that was cut into these pieces."""
        return str(self.processor.DecodePieces(symbols))

    def starts_word(self, symbol: str) -> bool:
        """Whether the piece begins with U+2581."""
        return symbol.startswith("\u2581")

    def __reduce__(self) -> Any:  # for workers that are not forked
        return _restored, (self.processor.serialized_model_proto(),)


class Gpt2Bpe:
    """GPT-2's byte pair encoding, by fairseq's own encoder; its symbols are numbers.

    Raises ValueError if a file is missing or damaged; :meth:`encode` raises it if they are of different models.
    """

    def __init__(self, encoder_json: Path, vocab_bpe: Path) -> None:
        self.files = (encoder_json, vocab_bpe)
        for path in self.files:
            if not path.is_file():
                raise ValueError(f"{path}: no such file; GPT-2's BPE consists of the files {' and '.join(GPT2_FILES)}")
        from fairseq.data.encoders.gpt2_bpe_utils import get_encoder

        try:
            self.encoder = get_encoder(*map(str, self.files))
        except ImportError as error:
            raise ValueError("GPT-2's BPE needs the package regex: pip install regex") from error
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{encoder_json} or {vocab_bpe.name} is damaged ({error}); download them again") from error

    def encode(self, text: str) -> List[str]:
        """Numbers of byte pairs, as text."""
        try:
            return [str(number) for number in self.encoder.encode(text)]
        except KeyError as error:
            encoder_json, vocab_bpe = self.files
            raise ValueError(
                f"{vocab_bpe} produces the symbol {error}, which {encoder_json} does not have; use both files of the "
                "same model"
            ) from error

    def decode(self, symbols: List[str]) -> str:
        """The text that was cut into these byte pairs."""
        return str(self.encoder.decode([int(symbol) for symbol in symbols]))

    def starts_word(self, symbol: str) -> bool:
        """Whether the byte pair begins with a space."""
        return str(self.encoder.decode([int(symbol)])).startswith(" ")


def _restored(model: bytes) -> SentencePiece:
    from sentencepiece import SentencePieceProcessor

    subwords = SentencePiece.__new__(SentencePiece)
    subwords.processor = SentencePieceProcessor(model_proto=model)
    return subwords


def word_starts(dictionary: Any, subwords: Subwords) -> NDArray[np.bool_]:
    """Return which symbols of a dictionary begin a word, bool (V,); special symbols and fairseq's fillers do."""
    special = {dictionary[index] for index in range(dictionary.nspecial)} | {"<mask>"}
    symbols: List[str] = [dictionary[index] for index in range(len(dictionary))]
    starts = [s in special or s.startswith("madeupword") or subwords.starts_word(s) for s in symbols]
    return np.array(starts, dtype=np.bool_)
