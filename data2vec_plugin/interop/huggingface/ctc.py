"""Symbols of CTC: fairseq's dictionary and Hugging Face's vocabulary, which give the same rows other names.

The blank is fairseq's first symbol, ``<s>``, and Hugging Face's padding token. So the two swap their names, and no row
of the head moves.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence

import torch
from torch import Tensor

BLANK, PAD, EOS, UNK = "<s>", "<pad>", "</s>", "<unk>"
SPECIAL = (BLANK, PAD, EOS, UNK)
"""The first symbols of every fairseq dictionary."""
THEIR_NAMES = {BLANK: PAD, PAD: BLANK}
WORDS = "|"
"""The symbol between words."""
NEVER = -1e4
"""The score of a symbol that a model has no output for."""


class Outputs(NamedTuple):
    """The symbols of a dictionary in order, and which row of the head belongs to each; None for no row."""

    symbols: List[str]
    rows: List[Optional[int]]


def vocabulary(symbols: Sequence[str]) -> Dict[str, int]:
    """A dictionary's symbols in order -> Hugging Face's vocab.json."""
    return {THEIR_NAMES.get(symbol, symbol): number for number, symbol in enumerate(symbols)}


def outputs(vocab: Mapping[str, int], tokens: Mapping[str, Any], blank: int, size: int) -> Outputs:
    """Hugging Face's vocabulary -> a dictionary of fairseq's.

    ``tokens`` names the special ones (``unk_token``, ``bos_token``, ``eos_token``, ``word_delimiter_token``), ``blank``
    is the row of the blank (``pad_token_id``), ``size`` the number of rows. Raises ValueError for rows that have no
    name, or two, and for symbols that a fairseq dictionary cannot hold.
    """
    by_row = {row: symbol for symbol, row in vocab.items()}
    if sorted(vocab.values()) != list(range(size)) or blank not in by_row:
        raise ValueError(
            f"its {len(vocab)} symbols do not name each of {size} outputs exactly once, including the blank {blank}"
        )
    # fairseq's unused padding symbol gets the row of their unused bos_token
    roles = [by_row[blank], tokens.get("bos_token"), tokens.get("eos_token"), tokens.get("unk_token")]
    special = [vocab.get(name) if isinstance(name, str) else None for name in roles]
    special = [None if row in special[:place] else row for place, row in enumerate(special)]
    others = [row for row in range(len(vocab)) if row not in special]
    delimiter = tokens.get("word_delimiter_token") or WORDS
    symbols = [WORDS if by_row[row] == delimiter else by_row[row] for row in others]
    unfit = [symbol for symbol in symbols if symbol in SPECIAL or not symbol or any(map(str.isspace, symbol))]
    if unfit or len(set(symbols)) < len(symbols):
        raise ValueError(f"a fairseq dictionary cannot hold the symbol {unfit[0] if unfit else WORDS!r}")
    return Outputs([*SPECIAL, *symbols], [*special, *others])


def rearranged(weight: Tensor, bias: Tensor, rows: Sequence[Optional[int]]) -> Dict[str, Tensor]:
    """Return a head, (S, C) and (S,), with its rows in the order of ``rows``; a row for None is never the best."""
    if list(rows) == list(range(len(weight))):
        return {"weight": weight, "bias": bias}
    taken = torch.tensor([0 if row is None else row for row in rows])
    new = torch.tensor([row is None for row in rows])
    return {
        "weight": weight[taken].masked_fill(new.unsqueeze(1), 0),
        "bias": bias[taken].masked_fill(new, NEVER),
    }
