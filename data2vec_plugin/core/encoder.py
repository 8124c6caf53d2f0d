"""Raw input -> contextualised tokens (section 3.1): the part used by fine-tuning, features and export."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn

from .masks.mask import Mask
from .outputs import EncoderOutput, Tokens
from .positions.order import NoPositions, Positions
from .transformer import Transformer


class Encoder(nn.Module):
    """The encoder: a modality's ``embedder``, a ``view`` that applies the mask, ``positions`` and a ``transformer``.

    ``embedder(source, padding_mask)`` and ``view(tokens, mask)`` give :class:`Tokens`. ``extra_tokens`` (1, E, C) are
    optional learned tokens before the input's, removed from the output by default. An optional ``prenet`` holds a
    modality's own layers before the shared ones.
    """

    BORROWED = ("embedder", "positions", "extra_tokens", "prenet")
    """The parts that a teacher without its own borrows from the student."""

    extra_tokens: Optional[nn.Parameter]
    positions: Positions
    prenet: Optional[Transformer]

    def __init__(
        self,
        transformer: Transformer,
        view: nn.Module,
        embedder: nn.Module,
        extra_tokens: int = 0,
        positions: Optional[nn.Module] = None,
        prenet: Optional[Transformer] = None,
    ) -> None:
        super().__init__()
        self.extra_tokens = nn.Parameter(torch.zeros(1, extra_tokens, transformer.config.dim)) if extra_tokens else None
        self.view = view
        self.transformer = transformer
        self.positions = NoPositions() if positions is None else positions  # type: ignore[assignment]
        self.prenet = prenet
        self.embedder = embedder

    def forward(
        self, source: Tensor, padding_mask: Optional[Tensor] = None, mask: Optional[Mask] = None, **options: Any
    ) -> EncoderOutput:
        """Encode raw input (``padding_mask`` True where padded), masked if a ``mask`` is given; ``options`` as in
        :meth:`encode`."""
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
        lender: Optional[Encoder] = None,
        **options: Any,
    ) -> EncoderOutput:
        """Encode tokens (only the visible ones if a view has selected them), preceded by the extra tokens.

        ``rows`` (N,) are flat positions among the tokens; see :meth:`Transformer.forward` for these and ``options``.
        The outputs of the extra tokens are returned separately, and ``with_extra`` also in front of the others: (B, E +
        T, C). Parts that this encoder lacks are taken from the ``lender``.
        """
        seen = self.first_input(tokens, lender)
        if rows is not None:  # the flat positions shift, since each input begins with its extra tokens
            rows = rows + (rows // (seen.x.size(1) - seen.extra) + 1) * seen.extra
        biases, own = self.biases(seen, lender)
        if (prenet := self.part("prenet", lender)) is not None:
            seen = Tokens(prenet(seen.x, seen.padding_mask, biases).x, seen.padding_mask, extra=seen.extra)
        encoded: EncoderOutput = self.transformer(seen.x, seen.padding_mask, own, rows=rows, **options)
        return encoded if with_extra or rows is not None or not seen.extra else encoded.without_first(seen.extra)

    def first_input(self, tokens: Tokens, lender: Optional[Encoder]) -> Tokens:
        """The input of the first layer: positions are added first, since convolutional ones need all tokens; then the
        visible tokens are selected."""
        positioned = self.with_positions(tokens, self.part("positions", lender))
        return positioned.gathered().led_by(self.part("extra_tokens", lender))

    def with_positions(self, tokens: Tokens, positions: Positions) -> Tokens:
        """Adds positions; padding is zeroed first, so that it cannot leak into neighbouring tokens."""
        silent = tokens.silenced()
        return replace(silent, x=positions.added(silent.x, silent.padding_mask))

    def biases(
        self, seen: Tokens, lender: Optional[Encoder]
    ) -> Tuple[Sequence[Optional[Tensor]], Sequence[Optional[Tensor]]]:
        """The attention biases of the prenet and of the layers after it."""
        prenet = self.part("prenet", lender)
        first = [] if prenet is None else list(prenet.layers)
        biases = self.part("positions", lender).biases(seen, [*first, *self.transformer.layers])
        return (biases, biases) if len(biases) == 1 else (biases[: len(first)], biases[len(first) :])

    def part(self, name: str, lender: Optional[Encoder]) -> Any:
        """A part of this encoder, or the lender's if this one has none."""
        own = getattr(self, name)
        return own if own is not None or lender is None else getattr(lender, name)
