"""From visible tokens to predictions of hidden ones (data2vec 2.0, section 3.2; masked autoencoders)."""

from __future__ import annotations

from typing import Optional, Tuple

import torch
from torch import Tensor, nn

from ..masks.mask import Mask
from ..outputs import EncoderOutput, at_rows
from ..view import noise_like


class VisibleDecoder(nn.Module):
    """Fills hidden positions with noise, then decodes: by a modality's ``own`` decoder, one ``shared`` by several, or
    both.

    Each decoder reads (R, T, C), the mask and the padding, and returns one output (N, C) at hidden positions; the
    shared one's comes first. An optional ``further`` module computes one more output from the first. An optional
    ``table`` (1, T, C) of positions is added to the noise, or to all tokens (``add_to_all``).
    """

    restores = True
    table: Optional[Tensor]

    def __init__(
        self,
        own: Optional[nn.Module],
        shared: Optional[nn.Module] = None,
        noise: float = 0.01,
        dropout: float = 0.0,
        further: Optional[nn.Module] = None,
        table: Optional[Tensor] = None,
        add_to_all: bool = False,
    ) -> None:
        super().__init__()
        self.shared = shared
        self.own = own
        self.further = further
        self.noise = noise
        self.dropout = nn.Dropout(dropout)
        self.add_to_all = add_to_all
        self.register_buffer("table", table, persistent=False)

    def forward(self, student: EncoderOutput, mask: Mask, padding_mask: Optional[Tensor] = None) -> Tuple[Tensor, ...]:
        """The student's output at visible tokens (R, V, C) -> each output (N, C) at hidden positions."""
        if padding_mask is not None:
            padding_mask = self.seen_padding(padding_mask, mask)
        x, decoders = self.dropout(student.x), [each for each in (self.shared, self.own) if each is not None]
        # each decoder starts from noise of its own
        outputs = [decoder(self.restored(x, mask), mask, padding_mask) for decoder in decoders]
        if self.further is not None:
            outputs.append(self.further(outputs[0]))
        return tuple(outputs)

    def seen_padding(self, padding_mask: Tensor, mask: Mask) -> Optional[Tensor]:
        """(B, T) -> (R, T)."""
        copies = mask.indices.size(0) // padding_mask.size(0)
        return padding_mask if copies == 1 else padding_mask.repeat_interleave(copies, 0)

    def restored(self, visible: Tensor, mask: Mask) -> Tensor:
        """(R, V, C) -> (R, T, C), with noise at hidden positions."""
        rows, width = mask.indices.shape
        if mask.visible is None:
            raise ValueError("`visible` of the mask is not set, but a decoder needs the visible positions")
        starts = torch.arange(rows, device=visible.device).unsqueeze(1) * width
        places = mask.visible + starts
        if mask.absent is not None:  # absent entries are written to a row that is cut off
            places = places.masked_fill(mask.absent, rows * width)
        noise = self.drawn_noise(visible, rows * width + (mask.absent is not None))
        x = noise.index_copy(0, places.view(-1), visible.reshape(-1, visible.size(-1)))[: rows * width]
        return self.placed(x.view(rows, width, -1), mask)

    def drawn_noise(self, visible: Tensor, count: int) -> Tensor:
        """(count, C)."""
        return noise_like(visible.new_empty(count, visible.size(-1)), self.noise)

    def placed(self, x: Tensor, mask: Mask) -> Tensor:
        """With positions, if configured: (R, T, C) -> (R, T, C)."""
        if self.table is None:
            return x
        table = self.table.to(x.dtype)
        return x + (table if self.add_to_all else table * mask.indices.unsqueeze(-1))


def at_hidden(x: Tensor, mask: Mask) -> Tensor:
    """(R, T, C) -> (N, C)."""
    return at_rows(x, mask.positions)
