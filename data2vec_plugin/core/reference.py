"""Parts that reproduce how the reference implementation differs; they replace the default ones (`reference_compat`)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Dict, NamedTuple, Optional, Sequence, Type

from torch import Tensor, nn

from .config import Data2VecConfig
from .encoder import Encoder
from .masks.mask import Mask
from .masks.masking import BatchMasker, SpanMasker
from .objective.terms import Average, Regression, Step, Utterance
from .outputs import Tokens, at_rows
from .positions.order import Positions
from .prediction.visible_decoder import VisibleDecoder
from .transformer import Block
from .view import VisibleView


class ReferenceAverage(Average):
    """Statistics of the targets run over padding too."""

    def padding(self, step: Step) -> Optional[Tensor]:
        """Nothing is excluded."""
        return None


class Unused(nn.Module):
    """A prediction head that is created and saved but bypassed: its input is compared with the targets."""

    def __init__(self, head: nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias = head.weight, head.bias
        self.requires_grad_(False)  # DistributedDataParallel waits for the gradient of every trainable parameter

    def forward(self, x: Tensor) -> Tensor:
        """(N, C) -> the same."""
        return x


def regression(config: Data2VecConfig, **options: Any) -> Regression:
    """The regression term of data2vec 1, the default or the reference's."""
    return Regression(config.targets, config.loss, average=average(config), **options)


def average(config: Data2VecConfig, whole: bool = False) -> Average:
    """The targets, the default or the reference's."""
    return (ReferenceAverage if config.reference_compat else Average)(config.targets, whole)


def span_masks(config: Data2VecConfig) -> BatchMasker:
    """Spans of time, and of channels where they are configured; the reference trims rows to the smallest count."""
    channels = SpanMasker(config.channel_mask) if config.channel_mask.prob > 0 else None
    return BatchMasker(SpanMasker(config.mask, config.reference_compat), channels, config.transformer.dim)


class ReferenceView(VisibleView):
    """Masking only affects the computation of positions; the tokens themselves are unchanged, also masked ones and
    channels."""

    def blanked(self, tokens: Tokens, mask: Mask) -> Tokens:
        """See :class:`VisibleView`."""
        seen = super().blanked(tokens, mask)
        if mask.visible is not None:
            copies = mask.indices.size(0) // tokens.x.size(0)
            seen.x = AsItWas(seen.x, tokens.x.repeat_interleave(copies, 0))  # type: ignore[assignment]
        return seen


class AsItWas(NamedTuple):
    """The input from which positions are computed, and the tokens to which they are added."""

    masked: Tensor
    x: Tensor


class ReferenceEncoder(Encoder):
    """Padding is not set to zero, and leaks through position convolutions."""

    def with_positions(self, tokens: Tokens, positions: Positions) -> Tokens:
        """See :class:`Encoder`."""
        if not isinstance(tokens.x, AsItWas):
            return replace(tokens, x=positions.added(tokens.x, tokens.padding_mask))
        masked, x = tokens.x
        return replace(tokens, x=x + (positions.added(masked, tokens.padding_mask) - masked))


class ReferenceDecoder(VisibleDecoder):
    """Padding leaks through convolutions."""

    def seen_padding(self, padding_mask: Tensor, mask: Mask) -> Optional[Tensor]:
        """Treats nothing as padding."""
        return None


class ReferenceMasks(BatchMasker):
    """What is padded counts as visible, unless it is masked."""

    def with_visible(self, mask: Mask, sizes: Sequence[int]) -> Mask:
        """The mask with what it leaves visible."""
        return mask.with_visible(keep=self.keep)


class ReferenceUtterance(Utterance):
    """Sums over rows where the mean is intended."""

    def divisor(self, token: Tensor) -> int:
        """One."""
        return 1


class ReferenceBlock(Block):
    """With pre-norm, the residual of the feed-forward is its own output, and its input is lost."""

    def forward(self, x: Tensor, mask: Optional[Tensor] = None, rows: Optional[Tensor] = None) -> Dict[str, Tensor]:
        """See :class:`Block`."""
        if not self.norm_first:
            return super().forward(x, mask, rows)
        attention = self.self_attn(self.self_attn_layer_norm(x), mask, rows)
        x = at_rows(x, rows) + self.drop_path(self.dropout(attention))
        ffn = self.feed_forward(self.final_layer_norm(x))
        x = ffn + self.drop_path(self.ffn_dropout(ffn))
        return {"attention": attention, "ffn": ffn, "ffn_residual": x, "block": x}


@dataclass(frozen=True)
class VisibleParts:
    """The parts of data2vec 2.0 that differ in the reference."""

    view: Type[VisibleView] = VisibleView
    block: Type[Block] = Block
    encoder: Type[Encoder] = Encoder
    decoder: Type[VisibleDecoder] = VisibleDecoder
    masks: Type[BatchMasker] = BatchMasker
    average: Type[Average] = Average
    utterance: Type[Utterance] = Utterance


OURS = VisibleParts()
THEIRS = VisibleParts(
    view=ReferenceView,
    block=ReferenceBlock,
    encoder=ReferenceEncoder,
    decoder=ReferenceDecoder,
    masks=ReferenceMasks,
    average=ReferenceAverage,
    utterance=ReferenceUtterance,
)


def visible_parts(config: Data2VecConfig) -> VisibleParts:
    """The default parts or the reference's."""
    return THEIRS if config.reference_compat else OURS
