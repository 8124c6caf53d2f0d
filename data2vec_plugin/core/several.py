"""One model of several modalities (data2vec 2.0): methods whose encoders share a Transformer, and one teacher."""

from __future__ import annotations

from typing import Any, Mapping, Tuple

from torch import nn

from .config import Data2VecConfig
from .model import Data2Vec, Taught
from .outputs import Data2VecOutput
from .teacher import Teacher, TeacherPart


class SeveralModalities(Taught):
    """The ``methods`` by modality; each batch is of one of them.

    >>> SeveralModalities({"AUDIO": speech, "TEXT": text})("TEXT", ids)  # doctest: +SKIP
    """

    def __init__(self, methods: Mapping[str, Data2Vec]) -> None:
        super().__init__()
        self.methods = nn.ModuleDict(methods)

    @property
    def config(self) -> Data2VecConfig:
        """The configuration that all modalities share."""
        return self.of(next(iter(self.methods))).config

    def of(self, modality: str) -> Data2Vec:
        """The method of one modality; raises ValueError for a modality that the model lacks."""
        if modality not in self.methods:
            raise ValueError(f"`modality` is {modality!r}; this model has {', '.join(self.methods)}")
        method: Any = self.methods[modality]
        return method  # type: ignore[no-any-return]

    def forward(self, modality: str, *args: Any, **kwargs: Any) -> Data2VecOutput:
        """One step of pre-training of one modality; see :meth:`Data2Vec.forward`."""
        self.ensure_teacher()
        output: Data2VecOutput = self.of(modality)(*args, **kwargs)
        return output

    def make_teacher(self, num_updates: int) -> Teacher:
        """One teacher for all modalities; each method reads its part."""
        methods = {name: self.of(name) for name in self.methods}
        for method in methods.values():
            method.teacher = None
        shared = [part for method in methods.values() for part in method.shared_parts()]
        copied: Tuple[str, ...] = tuple(
            f"methods.{name}.{start}" for name, method in methods.items() for start in method.copied_parts()
        )
        teacher = Teacher(self, self.config.teacher, num_updates, shared, copied)
        for name, method in methods.items():
            method.teacher = TeacherPart(teacher, f"methods.{name}")
        return teacher
