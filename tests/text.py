"""Small real text for tests: sentences as raw text, as symbols, and as fairseq's own binaries."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterable, List

import torch
from fairseq.data import Dictionary
from fairseq.data.indexed_dataset import make_builder
from glue_files import sentence, write_gpt2_bpe, write_sentencepiece


def lines(count: int = 60) -> List[str]:
    """Sentences of six to eight words."""
    return [sentence(number) for number in range(count)]


def write_text(path: Path, rows: Iterable[str], end: str = "\n", mark: bool = False) -> Path:
    """A line each, with a byte order mark if wanted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((b"\xef\xbb\xbf" if mark else b"") + "".join(row + end for row in rows).encode("utf-8"))
    return path


def write_words_dictionary(folder: Path, rows: Iterable[str]) -> Dictionary:
    """dict.txt with every word of the lines, the most frequent first, as `fairseq-preprocess` makes it."""
    dictionary = Dictionary()
    for row in rows:
        for word in row.split():
            dictionary.add_symbol(word)
    dictionary.finalize(padding_factor=1)
    folder.mkdir(parents=True, exist_ok=True)
    dictionary.save(str(folder / "dict.txt"))
    return dictionary


def write_binaries(prefix: Path, rows: Iterable[str], dictionary: Dictionary, impl: str = "mmap") -> Path:
    """Lines of symbols as `fairseq-preprocess` writes them."""
    builder = make_builder(f"{prefix}.bin", impl=impl, vocab_size=len(dictionary))
    for row in rows:
        builder.add_item(dictionary.encode_line(row, add_if_not_exist=False).long())
    builder.finalize(f"{prefix}.idx")
    return prefix


def write_subwords(folder: Path, kind: str) -> Path:
    """Where `task.bpe` = ``kind`` looks for its files: in the folder of the data, beside dict.txt."""
    {"sentencepiece": write_sentencepiece, "gpt2": write_gpt2_bpe}[kind](folder)
    return folder


def as_lists(rows: Any) -> List[List[int]]:
    """Rows of ids."""
    return [torch.as_tensor(rows[index]).tolist() for index in range(len(rows))]
