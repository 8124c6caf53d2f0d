"""Raw input -> contextualised tokens (section 3.1): what fine-tuning, features and export own."""

from __future__ import annotations

from typing import Any, Optional

import torch
from torch import Tensor, nn

from .outputs import EncoderOutput, Mask, Tokens
from .transformer import Transformer


class Encoder(nn.Module):
    """An ``embedder``, a modality's; a ``view`` of what is masked; a ``transformer``.

    ``embedder(source, padding_mask)`` and ``view(tokens, mask)`` give :class:`Tokens`. ``extra_tokens`` (1, E, C) are
    learned ones before the input's, which leave with the output unless wanted; there may be none.
    """

    extra_tokens: Optional[nn.Parameter]

    def __init__(self, transformer: Transformer, view: nn.Module, embedder: nn.Module, extra_tokens: int = 0) -> None:
        super().__init__()
        self.extra_tokens = nn.Parameter(torch.zeros(1, extra_tokens, transformer.config.dim)) if extra_tokens else None
        self.view = view
        self.transformer = transformer
        self.embedder = embedder

    def forward(
        self, source: Tensor, padding_mask: Optional[Tensor] = None, mask: Optional[Mask] = None, **options: Any
    ) -> EncoderOutput:
        """Raw input, True where padded, masked if a ``mask`` is given; see :meth:`encode` for ``options``."""
        return self.encode(self.view(self.embed(source, padding_mask), mask), **options)

    def embed(self, source: Tensor, padding_mask: Optional[Tensor] = None) -> Tokens:
        """Raw input -> tokens (B, T, C) with their own padding mask (B, T)."""
        tokens: Tokens = self.embedder(source, padding_mask)
        return tokens

    def encode(
        self,
        tokens: Tokens,
        rows: Optional[Tensor] = None,
        with_extra: bool = False,
        extra: Optional[Tensor] = None,
        **options: Any,
    ) -> EncoderOutput:
        """Contextualise tokens, after the ``extra`` ones, this encoder's own if none are given.

        ``rows`` (N,) are flat positions among the tokens; see :meth:`Transformer.forward` for these and ``options``.
        What the extra tokens become is left out, or comes first ``with_extra``: (B, E + T, C).
        """
        extra = self.extra_tokens if extra is None else extra
        if extra is None:
            encoded: EncoderOutput = self.transformer(tokens.x, tokens.padding_mask, rows=rows, **options)
            return encoded
        count, seen = extra.size(1), tokens.led_by(extra)
        if rows is not None:
            rows = rows + (rows // tokens.x.size(1) + 1) * count
        encoded = self.transformer(seen.x, seen.padding_mask, rows=rows, **options)
        return encoded if with_extra or rows is not None else encoded.without_first(count)
