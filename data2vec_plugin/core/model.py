"""data2vec: a student that sees a masked input regresses what a teacher makes of the whole one (section 3)."""

from __future__ import annotations

from typing import Any, Callable, List, Optional

import torch
from torch import Tensor, nn

from .config import Data2VecConfig
from .loss import regression_loss
from .masking import check_hides
from .outputs import Data2VecOutput, EncoderOutput, Mask, Tokens
from .targets import average_targets, rows_suffice
from .teacher import Teacher
from .transformer import Transformer


class Data2Vec(nn.Module):
    """The method, whatever the modality: a subclass embeds raw input and may add positions to its encoder."""

    final_proj: Optional[nn.Module]
    mask_emb: Optional[nn.Parameter]
    """What replaces a masked token; none where the source comes masked."""
    extra_tokens: Optional[nn.Parameter]
    """Learned tokens (1, E, C) before the input's, which leave with the encoder's output unless wanted; may be none."""

    def __init__(self, config: Data2VecConfig, encoder: Transformer, head: Optional[nn.Module] = None) -> None:
        super().__init__()
        dim = config.transformer.dim
        self.config = config
        self.encoder = encoder
        self.mask_emb = nn.Parameter(torch.empty(dim).uniform_())
        self.extra_tokens = nn.Parameter(torch.zeros(1, config.extra_tokens, dim)) if config.extra_tokens else None
        self.final_proj = nn.Linear(dim, dim) if head is None else head
        self.input_dropout = nn.Dropout(config.input_dropout)
        self.teacher: Optional[Teacher] = None
        self.num_updates = 0

    def forward(
        self,
        source: Tensor,
        padding_mask: Optional[Tensor] = None,
        mask: Optional[Mask] = None,
        whole: Optional[Tensor] = None,
    ) -> Data2VecOutput:
        """One pre-training step on raw input; without a ``mask`` one is sampled.

        ``whole`` is what the teacher sees, where the student's ``source`` has been masked already.
        """
        tokens = self.embed(source, padding_mask)
        mask = self.checked(mask or self.sample_mask(tokens), tokens)
        student = self.encode(self.masked(tokens, mask), rows=mask.positions)
        signals = self.teacher_signals(source if whole is None else whole, padding_mask, tokens, mask)
        targets = average_targets(signals, self.config.targets, mask.positions, tokens.padding_mask)
        predictions = self.predict(student.x)
        loss = regression_loss(predictions, targets, self.config.loss.beta, self.config.loss.scale)
        return Data2VecOutput(loss, predictions, targets, mask)

    def embed(self, source: Tensor, padding_mask: Optional[Tensor]) -> Tokens:
        """Raw input -> tokens (B, T, C) with their padding mask; given by the modality."""
        raise NotImplementedError(f"{type(self).__name__} must embed its raw input")

    def sample_mask(self, tokens: Tokens) -> Mask:
        """Draw a mask on the host, seeded by torch's CPU generator; given by the modality."""
        raise NotImplementedError(f"{type(self).__name__} must say how its tokens are masked")

    def checked(self, mask: Mask, tokens: Tokens) -> Mask:
        """The mask, if there is something to regress; raises ValueError for a mask or a K that cannot train."""
        self.config.check_targets()
        if mask.indices.shape != tokens.x.shape[:2]:
            raise ValueError(
                f"`mask_indices` has shape {tuple(mask.indices.shape)}, expected {tuple(tokens.x.shape[:2])}: "
                f"one entry for each token"
            )
        check_hides(mask, tokens.padding_mask)
        return mask

    def masked(self, tokens: Tokens, mask: Optional[Mask]) -> Tokens:
        """The student's view: dropout on the input, mask embedding at masked positions, zeroed channels."""
        x = self.input_dropout(tokens.x)
        if mask is None:
            return Tokens(x, tokens.padding_mask)
        if self.config.channel_mask_before:
            x = zero_channels(x, mask.channels)
        if self.mask_emb is not None:
            x = torch.where(mask.indices.unsqueeze(-1), self.mask_emb.to(x.dtype), x)
        if not self.config.channel_mask_before:
            x = zero_channels(x, mask.channels)
        return Tokens(x, tokens.padding_mask)

    def encode(
        self,
        tokens: Tokens,
        encoder: Optional[nn.Module] = None,
        rows: Optional[Tensor] = None,
        with_extra: bool = False,
        **options: Any,
    ) -> EncoderOutput:
        """Contextualise tokens, after this model's extra ones, with its ``encoder`` or the one given.

        ``rows`` (N,) are flat positions among the tokens; see :meth:`Transformer.forward` for these and ``options``.
        What the extra tokens become is left out, or comes first ``with_extra``: (B, E + T, C).
        """
        encoder = self.encoder if encoder is None else encoder
        extra = 0 if self.extra_tokens is None else self.extra_tokens.size(1)
        seen = tokens if self.extra_tokens is None else tokens.led_by(self.extra_tokens)
        if rows is not None and extra:
            rows = rows + (rows // tokens.x.size(1) + 1) * extra
        encoded: EncoderOutput = encoder(seen.x, seen.padding_mask, rows=rows, **options)
        return encoded.without_first(extra) if extra and rows is None and not with_extra else encoded

    @torch.no_grad()
    def teacher_signals(
        self, whole: Tensor, padding_mask: Optional[Tensor], tokens: Tokens, mask: Optional[Mask] = None
    ) -> List[Tensor]:
        """The teacher's top layers on the whole input: K tensors (B, T, C).

        Given the ``mask``, they are (N, C) where targets are made of nothing but masked positions.
        """
        teacher = self.ensure_teacher()
        teacher.match(self.teacher_source())
        targets = self.config.targets
        seen = self.teacher_tokens(teacher.module, whole, padding_mask, tokens)
        first = max(self.config.transformer.layers - targets.top_k, 0)
        # a teacher of the encoder alone reads the student's extra tokens, as it does its embedding
        copied = teacher.module if isinstance(teacher.module, Data2Vec) else None
        encoder = teacher.module if copied is None else copied.encoder
        rows = mask.positions if mask is not None and rows_suffice(targets) else None
        encoded = (copied or self).encode(seen, encoder, rows, record=(targets.signal,), first=first)
        return encoded.signal(targets.signal)

    def teacher_tokens(
        self, module: nn.Module, whole: Tensor, padding_mask: Optional[Tensor], tokens: Tokens
    ) -> Tokens:
        """What the teacher's encoder reads: its own embedding, or the student's where it copies the encoder alone."""
        if isinstance(module, Data2Vec):
            return module.embed(whole, padding_mask)
        return Tokens(tokens.x.detach(), tokens.padding_mask)

    def predict(self, x: Tensor) -> Tensor:
        """Prediction head at the masked positions: (N, C) -> (N, C)."""
        if self.final_proj is None:
            raise ValueError("this model was made for fine-tuning: its prediction head is gone, so it cannot pre-train")
        predictions: Tensor = self.final_proj(x)
        return predictions

    def teacher_source(self) -> nn.Module:
        """The part of the student that the teacher copies."""
        return self if self.config.teacher.scope == "model" else self.encoder

    def ensure_teacher(self, num_updates: Optional[int] = None) -> Teacher:
        """The teacher; made as a copy of the student as it now is, when first needed."""
        if self.teacher is None:
            count = self.num_updates if num_updates is None else num_updates
            self.teacher = Teacher(self.teacher_source(), self.config.teacher, count, self.teacher_copies())
        return self.teacher

    def teacher_copies(self) -> Callable[[str], bool]:
        """Tells the parameters that the teacher takes over verbatim: a modality's position signal, if any."""
        return lambda name: False

    def follow(self, num_updates: int) -> None:
        """Called with the count of finished updates before each forward: the teacher steps once per update."""
        if self.teacher is None:
            self.ensure_teacher(num_updates)
        elif self.training:
            self.teacher.follow(self.teacher_source(), num_updates)
        self.num_updates = num_updates


def zero_channels(x: Tensor, channels: Optional[Tensor]) -> Tensor:
    """Zero the channels marked in (B, C) or (B, T, C)."""
    if channels is None:
        return x
    return x.masked_fill(channels if channels.dim() == 3 else channels.unsqueeze(1), 0)


def to_device(mask: Mask, device: torch.device) -> Mask:
    """Move a mask made on the host, without waiting."""
    channels = None if mask.channels is None else mask.channels.to(device, non_blocking=True)
    return Mask(
        mask.indices.to(device, non_blocking=True),
        mask.positions.to(device, non_blocking=True),
        channels,
    )


def given_mask(indices: Tensor, positions: Optional[Tensor] = None, channels: Optional[Tensor] = None) -> Mask:
    """A mask from outside: (B, T) bool, optionally its flat positions (N,) and channels (B, C) or (B, T, C)."""
    return Mask.given(indices, positions, channels)
