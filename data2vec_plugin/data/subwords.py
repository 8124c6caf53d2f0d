"""Subword encoders from local files; fairseq has them, and would otherwise download what is missing."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, List, Optional, Protocol

import numpy as np
from numpy.typing import NDArray


class Subwords(Protocol):
    """fairseq's interface of a BPE."""

    def encode(self, x: str) -> str:
        """A line as symbols with spaces between."""

    def is_beginning_of_word(self, x: str) -> bool:
        """Whether a symbol begins a word."""


class Spaces:
    """Text that has been cut into symbols already: every one is a word."""

    def encode(self, x: str) -> str:
        """The line itself."""
        return x

    def is_beginning_of_word(self, x: str) -> bool:
        """Always."""
        return True


def local_file(path: Optional[str], key: str, example: str) -> str:
    """``path`` if it is there; raises ValueError that says what the key should be."""
    if not path:
        raise ValueError(f"`{key}` is not set; give the file, such as {example}")
    if not Path(path).is_file():
        raise ValueError(f"`{key}` is {path}: there is no such file; give a local one, such as {example}")
    return path


def sentencepiece(model: Optional[str], key: str = "task.sentencepiece_model") -> Subwords:
    """A SentencePiece model, as `data2vec subwords` or spm_train make it."""
    from fairseq.data.encoders.sentencepiece_bpe import SentencepieceBPE

    path = local_file(model, key, "spm.model")
    options = {"sentencepiece_enable_sampling": False, "sentencepiece_alpha": None}
    subwords: Subwords = SentencepieceBPE(SimpleNamespace(sentencepiece_model=path, **options))
    return subwords


def gpt2(encoder_json: Optional[str], vocab_bpe: Optional[str], prefix: str = "task.") -> Subwords:
    """GPT-2's BPE, which RoBERTa and the published text models use."""
    from fairseq.data.encoders.gpt2_bpe import GPT2BPE

    encoder = local_file(encoder_json, f"{prefix}gpt2_encoder_json", "encoder.json")
    vocabulary = local_file(vocab_bpe, f"{prefix}gpt2_vocab_bpe", "vocab.bpe")
    subwords: Subwords = GPT2BPE(SimpleNamespace(gpt2_encoder_json=encoder, gpt2_vocab_bpe=vocabulary))
    return subwords


def word_starts(dictionary: Any, subwords: Subwords) -> NDArray[np.bool_]:
    """Which symbols of a dictionary begin a word (V,); its special ones do, and what the encoder cannot read."""
    special = {dictionary[index] for index in range(dictionary.nspecial)} | {"<mask>"}
    symbols: List[str] = [dictionary[index] for index in range(len(dictionary))]
    return np.array([symbol in special or _begins_word(subwords, symbol) for symbol in symbols], dtype=np.bool_)


def _begins_word(subwords: Subwords, symbol: str) -> bool:
    if symbol.startswith("madeupword"):  # fairseq's filling of a dictionary up to a round size
        return True
    return subwords.is_beginning_of_word(symbol)
