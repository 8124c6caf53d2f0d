"""Fine-tuning's masks, on their way from the loader to our encoder."""

from __future__ import annotations

from typing import Any

from ...data.brought_mask import bringing


def encode(stock: Any, encoder: Any, *args: Any, **kwargs: Any) -> Any:
    """``Wav2VecEncoder.forward``, which drops a batch's ``mask``; the encoder would draw another and synchronise for
    it."""
    with bringing(kwargs.pop("mask", None)):
        return stock(encoder, *args, **kwargs)
