"""Passes the masks of fine-tuning from the loader to our encoder."""

from __future__ import annotations

from typing import Any

from ...data.brought_mask import bringing


def encode(stock: Any, encoder: Any, *args: Any, **kwargs: Any) -> Any:
    """``Wav2VecEncoder.forward`` with a batch's ``mask``, which fairseq drops.

    Without it, the encoder would draw another, and synchronise with the device for it.
    """
    with bringing(kwargs.pop("mask", None)):
        return stock(encoder, *args, **kwargs)
