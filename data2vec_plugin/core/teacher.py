"""The teacher: an exponential moving average of the student (section 3.2).

It is a plain object outside the student's module tree, because the trainer casts, wraps and saves that tree, while the
average must stay in fp32 and receive no gradient.
"""

from __future__ import annotations

import contextlib
import copy
from typing import Any, Collection, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn

from .config import TeacherConfig
from .encoder import Encoder
from .outputs import EncoderOutput, Tokens
from .transformer import Transformer

UPDATES_KEY = "_num_updates"
FORMAT_KEY = "_format"
FIRST_FORMAT, FORMAT = 1, 2
"""Format version of checkpoints, stored in the teacher's entry; the reference ignores both keys.

In version 1 the prediction head's parameters came before the embedder's, which matters for the optimizer's state.
"""


class Teacher:
    """Follows ``source``, the student, once per update.

    Modules and parameters in ``shared`` are not copied; parameters with a prefix in ``copied`` are copied instead of
    averaged, like buffers. The count of followed updates ensures exactly one step per update: not one per micro-batch,
    and no second one after an overflow of fp16. If a checkpoint was saved before its last step, that is made on resume.
    """

    def __init__(
        self,
        source: nn.Module,
        config: TeacherConfig,
        num_updates: int = 0,
        shared: Collection[object] = (),
        copied: Tuple[str, ...] = (),
    ) -> None:
        self.config = config
        self.copied = copied
        self.num_updates = num_updates
        self.decay = config.decay
        self.module = _frozen_copy(source, shared)
        self._take_tensors()
        self.fp32 = {name: param.data.float() for name, param in self.parameters.items()}
        """The master of the parameters; the module shares its memory when it is fp32 too."""

    def _take_tensors(self) -> None:
        """Look up the module's parameters and buffers, which a move may replace, so that a step need not."""
        self.parameters, self.buffers = dict(self.module.named_parameters()), dict(self.module.named_buffers())

    def follow(self, source: nn.Module, num_updates: int) -> bool:
        """Make the step of update ``num_updates`` unless it was already made; returns whether it was made now.

        A smaller count than the last means a new run that starts from this teacher; the count restarts with it.
        """
        resumed = self.config.skips_resumed and self.num_updates == 0 and num_updates > 1
        if num_updates <= self.num_updates or resumed:
            self.num_updates = num_updates
            return False
        self.num_updates = num_updates
        config = self.config
        self.decay = annealed_decay(num_updates, config.decay, config.end_decay, config.anneal_end_step)
        if self.decay < 1:
            self.step(source)
        return True

    def encode(
        self,
        student: Encoder,
        source: Tensor,
        padding_mask: Optional[Tensor],
        local: Tokens,
        of: str = "",
        **options: Any,
    ) -> EncoderOutput:
        """Encode the full input with the teacher's parts, and the ``student``'s where they are shared.

        ``of`` names the submodule whose encoder is used, that of one modality; empty: the model's own encoder.
        ``local`` are the student's tokens, read by a teacher without its own embedder. See
        :meth:`Encoder.encode` for ``options``.
        """
        encoder: Any = self.module.get_submodule(of).encoder
        dtype = next(self.module.parameters()).dtype
        tokens = (
            local.detached() if encoder.embedder is None else encoder.embed(cast_floats(source, dtype), padding_mask)
        )
        tokens.x = cast_floats(tokens.x, dtype)
        lent = [getattr(student, name) for name in Encoder.BORROWED if getattr(encoder, name) is None]
        with evaluating(lent):
            encoded: EncoderOutput = encoder.encode(tokens, lender=student, **options)
        return encoded

    @torch.no_grad()
    def step(self, source: nn.Module) -> None:
        """teacher = decay · teacher + (1 - decay) · student, in fp32, and plain copies of the parts that are not
        averaged."""
        self.match(source)
        averaged, copied = self._pairs(source)
        if averaged:
            ours, theirs = zip(*averaged)
            torch._foreach_lerp_(list(ours), [param.float() for param in theirs], 1 - self.decay)
        if copied:
            ours, theirs = zip(*copied)
            torch._foreach_copy_(list(ours), list(theirs))
        self._refresh_module()

    def _pairs(self, source: nn.Module) -> Tuple[List[Tuple[Tensor, Tensor]], List[Tuple[Tensor, Tensor]]]:
        """(teacher, student) tensors that are averaged, and those that are copied."""
        averaged: List[Tuple[Tensor, Tensor]] = []
        copied: List[Tuple[Tensor, Tensor]] = []
        for name, param in source.named_parameters():
            if name in self.fp32:
                verbatim = name.startswith(self.copied) or not param.requires_grad
                (copied if verbatim else averaged).append((self.fp32[name], param.detach()))
        if self.buffers:
            theirs = source.named_buffers()
            copied.extend((self.buffers[name], buffer) for name, buffer in theirs if name in self.buffers)
        return averaged, copied

    def match(self, source: nn.Module) -> None:
        """Move to the student's device and precision (fp32 unless ``same_dtype``); the stored average stays fp32."""
        theirs = next(source.parameters())
        ours = next(self.module.parameters())
        dtype = theirs.dtype if self.config.same_dtype else torch.float32
        if ours.device == theirs.device and ours.dtype == dtype:
            return
        self.fp32 = {name: tensor.to(theirs.device) for name, tensor in self.fp32.items()}
        self.module.to(device=theirs.device, dtype=dtype)
        self._take_tensors()
        if dtype == torch.float32:
            for name, param in self.parameters.items():
                param.data = self.fp32[name]
        else:
            self._refresh_module()

    @torch.no_grad()
    def _refresh_module(self) -> None:
        """Cast the master into the module, unless they are the same memory."""
        stale = [
            (param, self.fp32[name])
            for name, param in self.parameters.items()
            if param.data_ptr() != self.fp32[name].data_ptr()
        ]
        if stale:
            ours, theirs = zip(*stale)
            torch._foreach_copy_(list(ours), list(theirs))

    def state_dict(self) -> Dict[str, Tensor]:
        """The fp32 average by parameter name, the updates followed and the format number."""
        state = dict(self.fp32)
        state[UPDATES_KEY] = torch.tensor(self.num_updates)
        state[FORMAT_KEY] = torch.tensor(FORMAT)
        return state

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Tensor], fallback_updates: Optional[int] = None) -> None:
        """Restore the output of :meth:`state_dict`, or the reference's entry, which holds no count.

        In a checkpoint of the reference the last step is still due, so ``fallback_updates`` should be the saved
        number of updates minus one. Raises ValueError for missing or misshapen tensors.
        """
        for name, tensor in self.fp32.items():
            if name not in state or state[name].shape != tensor.shape:
                got = tuple(state[name].shape) if name in state else "nothing"
                raise ValueError(
                    f"the teacher's `{name}` is {got} in the checkpoint, expected shape {tuple(tensor.shape)}; the "
                    f"checkpoint is of another model size or teacher scope"
                )
            tensor.copy_(state[name])
        if UPDATES_KEY in state:
            self.num_updates = int(state[UPDATES_KEY])
        elif fallback_updates is not None:
            self.num_updates = fallback_updates
        self._refresh_module()


class TeacherPart:
    """The teacher of one modality's method, within a teacher that is shared by several; ``of`` names the submodule."""

    def __init__(self, whole: Teacher, of: str) -> None:
        self.whole = whole
        self.of = of

    @property
    def decay(self) -> float:
        """The teacher's, at its last step."""
        return self.whole.decay

    def match(self, source: nn.Module) -> None:
        """See :meth:`Teacher.match`."""
        self.whole.match(source)

    def encode(
        self, student: Encoder, source: Tensor, padding_mask: Optional[Tensor], local: Tokens, **options: Any
    ) -> EncoderOutput:
        """See :meth:`Teacher.encode`."""
        return self.whole.encode(student, source, padding_mask, local, self.of, **options)


def _frozen_copy(source: nn.Module, shared: Collection[object]) -> nn.Module:
    """A copy in eval mode without gradients, with None instead of the ``shared`` parts."""
    module = copy.deepcopy(source, {id(part): None for part in shared})
    module.requires_grad_(False)
    for part in module.modules():
        if isinstance(part, Transformer):
            part.compile_blocks()
    return module.eval()


def cast_floats(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Cast floating-point tensors to another precision; ids are unchanged."""
    return x.to(dtype) if x.is_floating_point() else x


@contextlib.contextmanager
def evaluating(parts: Sequence[object]) -> Iterator[None]:
    """Context in which modules among the ``parts`` are in eval mode."""
    training = [module for part in parts if isinstance(part, nn.Module) for module in part.modules() if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True


def annealed_decay(update: int, start: float, end: float, anneal_end_step: int) -> float:
    """The teacher's decay at ``update``: linear from ``start`` to ``end`` (section 3.2), then constant."""
    if update >= anneal_end_step or start == end:
        return end
    return end - (end - start) * (1 - update / anneal_end_step)
