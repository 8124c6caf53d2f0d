"""Text models with their subwords, and what fairseq makes of a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List

import torch
from fairseq.data import Dictionary
from glue_files import sentence
from models.tiny import drift
from models.tiny_text import section, tiny_text, trainer_state
from text import write_subwords

from data2vec_plugin.data.text.subwords import GPT2_FILES, Gpt2Bpe, SentencePiece

LINES = [*(sentence(number) for number in range(0, 216, 7)), "the old Zoë found 日本 .", "a  b", "don't 12,5", ""]


def symbols(folder: Path) -> Any:
    """The dictionary of a folder, as tasks load it."""
    dictionary = Dictionary.load(str(folder / "dict.txt"))
    dictionary.add_symbol("<mask>")
    return dictionary


def pretrained(folder: Path, kind: str) -> Path:
    """A checkpoint with its dictionary and its subwords beside it."""
    write_subwords(folder, kind)
    model = tiny_text(symbols(folder), transformer__max_source_positions=64)
    drift(model, 1)
    model.set_num_updates(2)
    cfg = {"model": section(transformer__max_source_positions=64), "task": {"_name": "masked_lm", "data": "gone"}}
    torch.save(trainer_state(cfg, model.state_dict()), folder / "ours.pt")
    return folder / "ours.pt"


def fairseq_ids(folder: Path, kind: str, line: str) -> List[int]:
    """What fairseq's own encoders and dictionary make of a line."""
    cut: Any = (
        SentencePiece(folder / "spm.model") if kind == "sentencepiece" else Gpt2Bpe(*(folder / n for n in GPT2_FILES))
    )
    dictionary = symbols(folder)
    return [dictionary.bos(), *map(dictionary.index, cut.encode(line)), dictionary.eos()]
