"""Convert captions to an encoder's ids: those of subwords, between two special symbols."""

from __future__ import annotations

from typing import Any, List, Protocol, Sequence, Tuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ...data.text.dictionary_file import load_dictionary
from ...data.text.subwords import GPT2_FILES, Gpt2Bpe, SentencePiece, Spaces, Subwords
from .kept_files import Files, laid_out

DICTIONARY, PIECES, VOCABULARY = "dict.txt", "spm.model", "vocab.txt"


class CaptionReader(Protocol):
    """Converts captions to ids."""

    pad: int

    def row(self, caption: str, longest: int) -> List[int]:
        """Ids of a caption, at most ``longest``, special symbols included; an empty caption has only these."""


class Data2VecReader:
    """fairseq's dictionary, and subwords of the ``kind`` ``sentencepiece``, ``gpt2`` or ``none``."""

    def __init__(self, kind: str, files: Files) -> None:
        with laid_out(files) as folder:
            self.dictionary: Any = load_dictionary(folder / DICTIONARY)
            self.dictionary.add_symbol("<mask>")
            self.subwords: Subwords = Spaces()
            if kind == "sentencepiece":
                self.subwords = SentencePiece(folder / PIECES)
            elif kind == "gpt2":
                self.subwords = Gpt2Bpe(*(folder / name for name in GPT2_FILES))
        self.pad = int(self.dictionary.pad())

    def row(self, caption: str, longest: int) -> List[int]:
        """``<s>``, subwords, ``</s>``."""
        found = self.dictionary
        ids = [found.index(symbol) for symbol in self.subwords.encode(caption)]
        return [found.bos(), *ids[: longest - 2], found.eos()]


class BertReader:
    """Word pieces by BERT's own tokenizer, of transformers."""

    def __init__(self, files: Files) -> None:
        from transformers import BertTokenizer

        with laid_out(files) as folder:
            self.tokenizer: Any = BertTokenizer.from_pretrained(str(folder))
        self.pad = int(self.tokenizer.pad_token_id)

    def row(self, caption: str, longest: int) -> List[int]:
        """``[CLS]``, word pieces, ``[SEP]``."""
        ids: List[int] = self.tokenizer.encode(caption, add_special_tokens=False)
        return [self.tokenizer.cls_token_id, *ids[: longest - 2], self.tokenizer.sep_token_id]


def read_captions(reader: CaptionReader, captions: Sequence[str], longest: int) -> Tuple[Tensor, Tensor]:
    """Return ids (B, T) and their padding mask (B, T), True where padded."""
    rows = [torch.tensor(reader.row(caption, longest)) for caption in captions]
    lengths = torch.tensor([len(row) for row in rows])
    ids: Tensor = pad_sequence(rows, batch_first=True, padding_value=reader.pad)
    return ids, torch.arange(ids.size(1)) >= lengths.unsqueeze(1)
