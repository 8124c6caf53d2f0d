"""Lines of text as the text model reads them: ids of subwords between ``<s>`` and ``</s>``."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any, Dict, List, Optional, Tuple

import torch
from torch import Tensor

from ..data.text.binarised import UNKNOWN
from ..files.unusable import some
from .items import BadItemError, Input, Item, padded
from .text_files import TextFiles


class TextReader:
    """Encodes lines; those of more than ``longest`` tokens are rejected, or with ``truncate`` cut, keeping ``</s>``."""

    unit = "tokens"
    default_batch = 4096.0
    sizes_per_unit = 1

    def __init__(self, files: TextFiles, longest: int, truncate: bool) -> None:
        self.files = files
        self.dictionary: Any = files.dictionary
        self.longest = longest
        self.truncate = truncate
        self._cut: List[str] = []
        self._symbols: List[int] = []
        self._unknown: List[int] = []

    def settings(self) -> Dict[str, object]:
        """The dictionary, and the subword model."""
        symbols = "\n".join(self.dictionary.symbols)
        return {"dictionary": hashlib.sha256(symbols.encode()).hexdigest()[:16], "subwords": self.files.digest}

    def look(self, item: Item) -> Input:
        """Encode a line; raises :class:`BadItemError` if it is empty or too long."""
        symbols = self.files.subwords.encode(item.source)
        if not symbols:
            raise BadItemError("is empty")
        unk = self.dictionary.unk()
        ids = [self.dictionary.bos(), *map(self.dictionary.index, symbols), self.dictionary.eos()]
        if len(ids) > self.longest:
            if not self.truncate:
                raise BadItemError(
                    f"{len(ids)} tokens, the model reads at most {self.longest}; `--too-long truncate` cuts such lines"
                )
            self._cut.append(item.place)
            ids = [*ids[: self.longest - 1], self.dictionary.eos()]
        self._symbols.append(len(ids) - 2)
        self._unknown.append(ids.count(unk))
        row = torch.tensor(ids)
        return Input(item, len(ids), lambda: row)

    def take(self, value: object, item: Item) -> Input:
        """Text; raises :class:`BadItemError` for anything else."""
        if not isinstance(value, str):
            raise BadItemError(f"is a {type(value).__name__}; expected text (str)")
        return self.look(replace(item, source=value.strip()))

    def collate(self, rows: List[Tensor]) -> Tuple[Tensor, Optional[Tensor]]:
        """Ids (tokens,) -> (B, tokens), padded with the padding symbol at the end."""
        return padded(rows, self.dictionary.pad())

    def span(self, row: Tensor, width: int) -> slice:
        """One output for each id, ``<s>`` and ``</s>`` included."""
        return slice(len(row))

    def remarks(self) -> List[str]:
        """The number of truncated lines, and a warning if so much is unknown that the dictionary must be wrong."""
        cut, symbols, unknown = self._cut, sum(self._symbols), sum(self._unknown)
        self._cut, self._symbols, self._unknown = [], [], []
        found = [f"{len(cut):,} lines were cut to {self.longest} tokens: {some(cut)}"] if cut else []
        if unknown > UNKNOWN * symbols:
            found.append(
                f"{unknown:,} of {symbols:,} subwords are unknown to {self.files.dictionary_path}: was it made for "
                f"{self.files.cut_by}?"
            )
        return found
