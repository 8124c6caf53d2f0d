"""data2vec: a student that sees a masked input regresses what a teacher makes of the whole one (section 3)."""

from __future__ import annotations

import logging
from typing import List, Mapping, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn

from .config import Data2VecConfig
from .encoder import Encoder
from .masks.masking import BatchMasker, check_hides
from .outputs import Data2VecOutput, Mask, Tokens
from .teacher import Teacher
from .terms import Step, Term

logger = logging.getLogger(__name__)


class Data2Vec(nn.Module):
    """The method, out of parts: a student ``encoder``, ``masks``, a ``predictor``, the ``terms`` of the loss.

    With ``teacher_embeds`` the teacher embeds its input itself, as it must where the student's source comes masked.
    """

    without: Tuple[str, ...] = ()  # how the names begin of what this has not, and a checkpoint may have

    def __init__(
        self,
        config: Data2VecConfig,
        encoder: Encoder,
        masks: BatchMasker,
        predictor: nn.Module,
        terms: Sequence[Term],
        teacher_embeds: bool = False,
    ) -> None:
        super().__init__()
        if len({term.signal for term in terms}) != 1:
            read = ", ".join(f"`{term.name}` reads {term.signal}" for term in terms) or "there are none"
            raise ValueError(f"`terms` of a model read one signal of its teacher; {read}")
        self.config = config
        self.encoder = encoder
        self.masks = masks
        self.predictor = predictor
        self.terms = terms
        self.teacher_embeds = teacher_embeds or config.teacher.scope == "model"
        self.teacher: Optional[Teacher] = None
        self.num_updates = 0

    def forward(
        self,
        source: Tensor,
        padding_mask: Optional[Tensor] = None,
        mask: Optional[Mask] = None,
        whole: Optional[Tensor] = None,
    ) -> Data2VecOutput:
        """One pre-training step on raw input; without a ``mask`` one is drawn.

        ``whole`` is what the teacher sees, where the student's ``source`` has been masked already.
        """
        local = self.encoder.embed(source, padding_mask)
        mask = self.checked(mask or self.masks.drawn(local), local)
        student = self.encoder.encode(self.encoder.view(local, mask), rows=mask.positions)
        signals = self.teacher_signals(source if whole is None else whole, padding_mask, local, mask)
        step = Step(mask, self.predictor(student.x), signals, local.padding_mask)
        return Data2VecOutput({term.name: term(step) for term in self.terms}, mask)

    def checked(self, mask: Mask, tokens: Tokens) -> Mask:
        """The mask, if there is something to regress; raises ValueError for a mask or a K that cannot train."""
        self.config.check_targets()
        if mask.indices.shape != tokens.x.shape[:2]:
            raise ValueError(
                f"`indices` of the mask have shape {tuple(mask.indices.shape)}, expected {tuple(tokens.x.shape[:2])}: "
                f"one entry for each token"
            )
        check_hides(mask, tokens.padding_mask)
        return mask

    @torch.no_grad()
    def teacher_signals(
        self, whole: Tensor, padding_mask: Optional[Tensor], local: Tokens, mask: Optional[Mask] = None
    ) -> List[Tensor]:
        """What the terms read of the teacher's top layers on the whole input: K tensors (B, T, C).

        Given the ``mask``, they are (N, C) where the terms read nothing but masked positions.
        """
        teacher = self.ensure_teacher()
        teacher.match(self)
        (signal,) = {term.signal for term in self.terms}
        rows = mask.positions if mask is not None and all(term.rows_suffice for term in self.terms) else None
        first = max(self.config.transformer.layers - max(term.top_k for term in self.terms), 0)
        encoded = teacher.encode(self.encoder, whole, padding_mask, local, rows=rows, record=(signal,), first=first)
        return encoded.signal(signal)

    def ensure_teacher(self, num_updates: Optional[int] = None) -> Teacher:
        """The teacher; made as a copy of the student as it now is, when first needed."""
        if self.teacher is None:
            count = self.num_updates if num_updates is None else num_updates
            self.teacher = Teacher(self, self.config.teacher, count, self.shared_parts(), self.copied_parts())
        return self.teacher

    def shared_parts(self) -> Tuple[object, ...]:
        """The parts of the student that the teacher has no copy of: none, if it copies the whole model."""
        if self.config.teacher.scope == "model":
            return ()
        encoder, embedder = self.encoder, None if self.teacher_embeds else self.encoder.embedder
        shared = (self.predictor, encoder.view, encoder.extra_tokens, embedder)
        return tuple(part for part in shared if part is not None)

    def copied_parts(self) -> Tuple[str, ...]:
        """How the names begin of what the teacher copies, not averages: with scope "layers" all around the layers."""
        return ("encoder.transformer.positions.", "encoder.embedder.") if self.config.teacher.scope == "layers" else ()

    def follow(self, num_updates: int) -> None:
        """Called with the count of finished updates before each forward: the teacher steps once per update."""
        if self.teacher is None:
            self.ensure_teacher(num_updates)
        elif self.training:
            self.teacher.follow(self, num_updates)
        self.num_updates = num_updates

    def restore_teacher(self, entry: Optional[Mapping[str, Tensor]]) -> None:
        """Make the teacher from the student as it now is, then restore what a checkpoint holds of it."""
        self.teacher = None
        if entry is None:
            logger.info("the checkpoint holds no teacher: it starts from the loaded student")
        else:
            self.ensure_teacher().load_state_dict(entry, fallback_updates=max(self.num_updates - 1, 0))
