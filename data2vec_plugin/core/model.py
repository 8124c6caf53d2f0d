"""data2vec: a student regresses, from a masked input, a teacher's representation of the full input (section 3)."""

from __future__ import annotations

import logging
from typing import Any, List, Mapping, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn

from .config import SHARED_PARTS, Data2VecConfig
from .encoder import Encoder
from .masks.mask import Mask
from .masks.masking import BatchMasker, check_hides
from .objective.terms import Step, Term
from .outputs import Data2VecOutput, EncoderOutput, Tokens
from .teacher import Teacher

logger = logging.getLogger(__name__)


class Taught(nn.Module):
    """A student whose teacher, made as a copy when first needed, follows it update by update."""

    without: Tuple[str, ...] = ()  # prefixes of parameters that this model lacks, but a checkpoint may hold

    def __init__(self) -> None:
        super().__init__()
        self.teacher: Any = None
        self.num_updates = 0

    def make_teacher(self, num_updates: int) -> Teacher:
        """A copy of the student in its current state."""
        raise NotImplementedError

    def ensure_teacher(self, num_updates: Optional[int] = None) -> Teacher:
        """The teacher; created if there is none yet."""
        if self.teacher is None:
            self.teacher = self.make_teacher(self.num_updates if num_updates is None else num_updates)
        teacher: Teacher = self.teacher
        return teacher

    def follow(self, num_updates: int) -> None:
        """Called with the count of finished updates before each forward: the teacher steps once per update."""
        if self.teacher is None:
            self.ensure_teacher(num_updates)
        elif self.training:
            self.teacher.follow(self, num_updates)
        self.num_updates = num_updates

    def restore_teacher(self, entry: Optional[Mapping[str, Tensor]]) -> None:
        """Create the teacher from the current student, then restore its entry in a checkpoint."""
        self.teacher = None
        if entry is None:
            if self.training:  # otherwise there will be none
                logger.info("the checkpoint holds no teacher: the teacher starts as a copy of the loaded student")
        else:
            self.ensure_teacher().load_state_dict(entry, fallback_updates=max(self.num_updates - 1, 0))


class Data2Vec(Taught):
    """The method, composed of a student ``encoder``, ``masks``, a ``predictor`` and the ``terms`` of the loss.

    With ``teacher_embeds`` the teacher embeds its input itself, which is necessary if the student's source is masked.
    """

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
        signals = {term.signal for term in terms}
        if len(signals) != 1:
            read = ", ".join(f"`{term.name}` reads {term.signal}" for term in terms) or "there are none"
            raise ValueError(f"`terms` of a model read one signal of its teacher; {read}")
        self.config = config
        self.encoder = encoder
        self.masks = masks
        self.predictor = predictor
        self.terms = terms
        (self.signal,) = signals
        self.gathers = self.checked_gathers()
        self.teacher_embeds = teacher_embeds or "embedder" not in SHARED_PARTS[config.teacher.scope]

    def checked_gathers(self) -> bool:
        """Whether the student encodes visible tokens only; raises ValueError if the predictor does not match."""
        gathers = getattr(self.encoder.view, "gathers", False)
        if gathers != getattr(self.predictor, "restores", False):
            view, predictor = type(self.encoder.view).__name__, type(self.predictor).__name__
            raise ValueError(
                f"`view` is {view}, which {'leaves out' if gathers else 'keeps'} masked tokens, and `predictor` is "
                f"{predictor}, which does not match it; expected a VisibleView with a VisibleDecoder, or neither"
            )
        return bool(gathers)

    def forward(
        self,
        source: Tensor,
        padding_mask: Optional[Tensor] = None,
        mask: Optional[Mask] = None,
        whole: Optional[Tensor] = None,
    ) -> Data2VecOutput:
        """One pre-training step on raw input; a mask is drawn if none is given.

        ``whole`` is the teacher's input, if the student's ``source`` is already masked.
        """
        local = self.encoder.embed(source, padding_mask)
        mask = self.checked(mask or self.masks.drawn(local), local)
        student = self.encoder.encode(self.encoder.view(local, mask), rows=None if self.gathers else mask.positions)
        signals = self.teacher_signals(source if whole is None else whole, padding_mask, local, mask)
        outputs = self.predict(student, mask, local)
        step = Step(mask, outputs, signals, local.padding_mask, self.config.copies, student, source)
        return Data2VecOutput({term.name: term(step) for term in self.terms}, mask, local.detached())

    def checked(self, mask: Mask, tokens: Tokens) -> Mask:
        """The mask, with its visible positions if the student needs them; raises ValueError if it hides nothing, has
        another shape, or if K exceeds the number of layers."""
        self.config.check_targets()
        rows, width = tokens.x.shape[:2]
        if mask.indices.shape != (rows * self.config.copies, width):
            raise ValueError(
                f"`indices` of the mask have shape {tuple(mask.indices.shape)}, expected "
                f"{(rows * self.config.copies, width)}: one entry for each token"
                + (f" of each of `copies` {self.config.copies}" if self.config.copies > 1 else "")
            )
        check_hides(mask, tokens.padding_mask)
        missing = self.gathers and mask.visible is None
        return self.masks.with_visible(mask, tokens.sizes()) if missing else mask

    def predict(self, student: EncoderOutput, mask: Mask, local: Tokens) -> Tuple[Tensor, ...]:
        """Predictions at masked positions, each (N, C): from a head on them, or decoded from the visible tokens."""
        if not self.gathers:
            return (self.predictor(student.x),)
        outputs: Tuple[Tensor, ...] = self.predictor(student, mask, local.padding_mask)
        return outputs

    @torch.no_grad()
    def teacher_signals(
        self, whole: Tensor, padding_mask: Optional[Tensor], local: Tokens, mask: Optional[Mask] = None
    ) -> List[Tensor]:
        """The signals of the teacher's top layers on the full input: K tensors (B, T, C).

        Given the ``mask``, they are (N, C) if the terms only read masked positions.
        """
        teacher = self.ensure_teacher()
        teacher.match(self)
        # the last layer then computes masked positions only
        rows_suffice = self.config.copies == 1 and all(term.rows_suffice for term in self.terms)
        rows = mask.positions if mask is not None and rows_suffice else None
        # layers below are not recorded, since no target reads them
        first = max(self.config.transformer.layers - max(term.top_k for term in self.terms), 0)
        encoded = teacher.encode(
            self.encoder, whole, padding_mask, local, rows=rows, record=(self.signal,), first=first
        )
        return encoded.signal(self.signal)

    def make_teacher(self, num_updates: int) -> Teacher:
        """A teacher with a copy of all parts that it does not share with the student."""
        return Teacher(self, self.config.teacher, num_updates, self.shared_parts(), self.copied_parts())

    def shared_parts(self) -> Tuple[object, ...]:
        """The parts of the student that the teacher does not copy; empty if it copies the whole model."""
        names = [
            name for name in SHARED_PARTS[self.config.teacher.scope] if not (self.teacher_embeds and name == "embedder")
        ]
        parts = [self.predictor if name == "predictor" else getattr(self.encoder, name) for name in names]
        if self.config.teacher.scope == "blocks":
            parts.append(self.encoder.transformer.layer_norm)
        return tuple(part for part in parts if part is not None)

    def copied_parts(self) -> Tuple[str, ...]:
        """Prefixes of parameters that the teacher copies instead of averaging: with scope "layers", positions and
        embedder."""
        return ("encoder.positions.", "encoder.embedder.") if self.config.teacher.scope == "layers" else ()
