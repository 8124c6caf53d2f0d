"""GPT-2's byte pairs: fairseq's dictionary holds their numbers, RoBERTa's tokenizer their symbols."""

from __future__ import annotations

from typing import Dict, List, Mapping, Sequence

from fairseq.data.encoders.gpt2_bpe_utils import bytes_to_unicode

NOT_IN_UTF8 = {0xC0, 0xC1, *range(0xF5, 0x100)}
"""Bytes that occur in no UTF-8 text, so that a dictionary may lack them."""


def vocabulary(symbols: Sequence[str], encoder: Mapping[str, int], merges: str) -> Dict[str, int]:
    """Rows of a dictionary by byte pair, whose numbers its ``symbols`` are; other symbols keep their names.

    ``encoder`` numbers byte pairs, ``merges`` is vocab.bpe. Raises ValueError if the dictionary lacks a byte pair that
    may occur in a text: Hugging Face's tokenizer requires a row of its own for each.
    """
    names = {str(number): pair for pair, number in encoder.items()}
    rows = {names.get(symbol, symbol): row for row, symbol in enumerate(symbols)}
    missing = [pair for pair in producible(merges) if pair not in rows]
    if missing:
        raise ValueError(f"the dictionary lacks {len(missing)} of GPT-2's byte pairs, such as {missing[0]!r}")
    return rows


def producible(merges: str) -> List[str]:
    """The byte pairs of which a text may consist: bytes, and the results of merges."""
    single = [symbol for byte, symbol in bytes_to_unicode().items() if byte not in NOT_IN_UTF8]
    return [*single, *("".join(line.split()) for line in merge_lines(merges))]


def merge_lines(merges: str) -> List[str]:
    """The lines of vocab.bpe or merges.txt that hold a merge."""
    return [line for line in merges.split("\n") if line and not line.startswith("#version")]
