"""Hugging Face tokenizers with the ids of a fairseq dictionary."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Sequence

from ..files.text.json_files import read_json
from ..files.text.text_lines import read_text
from .byte_pairs import vocabulary
from .folder import json_text
from .modality import Keys
from .sentencepiece_file import read_pieces
from .unigram import tokenizer

SPECIAL = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "pad_token": "<pad>",
    "mask_token": "<mask>",
    "cls_token": "<s>",
    "sep_token": "</s>",
}
DICTIONARY, PIECES = "dict.txt", "spm.model"


@dataclass
class Tokenizer:
    """The tokenizer's class, its files, and files to copy."""

    name: str
    content: Dict[str, str]
    settings: Keys = field(default_factory=dict)
    copies: Dict[str, Path] = field(default_factory=dict)

    def files(self, longest: int) -> Dict[str, str]:
        """All files to write; ``longest`` is the model's maximum number of tokens."""
        settings = {"tokenizer_class": self.name, **SPECIAL, "model_max_length": longest, **self.settings}
        settings.update(model_input_names=["input_ids", "attention_mask"], clean_up_tokenization_spaces=False)
        return {
            **self.content,
            "tokenizer_config.json": json_text(settings),
            "special_tokens_map.json": json_text(SPECIAL),
        }


def from_byte_pairs(symbols: List[str], encoder_json: Path, vocab_bpe: Path) -> Tokenizer:
    """RoBERTa's tokenizer, from GPT-2's files; raises ValueError if the dictionary lacks any of their byte pairs."""
    merges = read_text(vocab_bpe)
    rows = vocabulary(symbols, read_json(encoder_json), merges)
    content = {"vocab.json": json_text(rows), "merges.txt": merges}
    return Tokenizer("RobertaTokenizer", content, {"add_prefix_space": False})


def from_pieces(symbols: List[str], model: Path) -> Tokenizer:
    """A fast tokenizer from a SentencePiece model; raises ValueError if the dictionary lacks any of its pieces."""
    content = {"tokenizer.json": json.dumps(tokenizer(symbols, read_pieces(model)), ensure_ascii=False)}
    return Tokenizer("PreTrainedTokenizerFast", content, copies={PIECES: model})


def dictionary_text(symbols: Sequence[str]) -> str:
    """dict.txt, without the symbols that every dictionary begins with and the mask at the end, which tasks add."""
    words = symbols[4:-1] if symbols[-1] == "<mask>" else symbols[4:]
    return "".join(f"{word} 1\n" for word in words)
