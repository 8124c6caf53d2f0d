"""The interface of a modality's conversion, implemented by one module each: `speech`, `text`, `image`."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Protocol, Sequence, Tuple, cast

from torch import Tensor

from ..checkpoints.encoder_checkpoint import Checkpoint
from ..interop.layout import Layout

Weights = Dict[str, Tensor]
Keys = Dict[str, Any]


@dataclass(frozen=True)
class Given:
    """Files given on the command line; others are searched for."""

    dictionary: Optional[Path] = None
    gpt2_bpe: Optional[Path] = None
    sentencepiece: Optional[Path] = None
    labels: Optional[Path] = None


OPTIONS = {"dictionary": "--dict", "gpt2_bpe": "--gpt2-bpe", "sentencepiece": "--sentencepiece", "labels": "--labels"}
"""Their options on the command line."""
OF_USE = {"speech": ("dictionary",), "text": tuple(OPTIONS), "image": ("labels",), "checkpoint": ()}


def check_given(given: Given, modality: str) -> None:
    """Raise ValueError for a file that a modality does not use."""
    for name, option in OPTIONS.items():
        if getattr(given, name) is not None and name not in OF_USE[modality]:
            raise ValueError(f"`{option}`: not used by a model of {modality}; leave the option out")


@dataclass
class Beside:
    """Everything except the weights: keys of the configuration, files by name, files to copy, lines to print.

    Towards Hugging Face ``keys`` belong to config.json; towards fairseq they are the task's section, ``state`` is the
    task's state in a checkpoint (dictionaries), and ``rows`` the order of a head's outputs if it changes.
    """

    keys: Keys = field(default_factory=dict)
    files: Dict[str, str] = field(default_factory=dict)
    copies: Dict[str, Path] = field(default_factory=dict)
    notes: List[str] = field(default_factory=list)
    state: Keys = field(default_factory=dict)
    rows: Optional[List[Optional[int]]] = None


class Names(Protocol):
    """`interop/hf_*.py`: names and configurations. Weights have our names in memory, those of a head below `head.`."""

    MODEL_TYPE: str
    ARCHITECTURES: Mapping[str, str]
    """Hugging Face's class by kind: ``base``, and ``ctc`` or ``classification``."""
    OTHER_HEADS: Sequence[str]
    """Classes of which only the encoder is read, as kind ``base``: their heads are not supported."""

    DEFAULTS: Mapping[str, Any]
    """Defaults of Hugging Face's keys."""

    def weights_to_hf(self, state: Mapping[str, Tensor], kind: str) -> Weights:
        """This plugin's names to Hugging Face's."""

    def weights_from_hf(self, state: Mapping[str, Tensor], kind: str) -> Weights:
        """The reverse."""

    def config_to_hf(self, model: Mapping[str, Any], kind: str) -> Keys:
        """The model's section, complete, to Hugging Face's keys; raises ValueError for settings it cannot express."""

    def config_from_hf(self, hf: Mapping[str, Any], kind: str) -> Keys:
        """The reverse, with ``_name``; raises ValueError for settings that data2vec cannot express."""


class Modality(Protocol):
    """`convert/speech.py` and the others."""

    NAMES: Names
    LAYOUT: Layout

    def kind(self, checkpoint: Checkpoint) -> str:
        """A key of ``NAMES.ARCHITECTURES``."""

    def head(self, checkpoint: Checkpoint, given: Given) -> Weights:
        """From ``checkpoint.outer``, with names below `head.`; empty for kind ``base``."""

    def write_extras(self, folder: Path, checkpoint: Checkpoint, kind: str, given: Given) -> Beside:
        """Tokenizer or feature extractor, to be written into ``folder``."""

    def read_extras(self, folder: Path, hf: Keys, kind: str, given: Given) -> Beside:
        """The task's part of a checkpoint, from a folder."""

    def fine_tuned(self, section: Keys, state: Weights, beside: Beside) -> Tuple[Keys, Weights]:
        """(`model` section, weights in upstream's layout) of the fine-tuned model.

        ``section`` is the encoder's; ``state`` has our names, the head's below `head.`.
        """


def modality(name: str) -> Modality:
    """The module of ``speech``, ``text`` or ``image``."""
    return cast(Modality, import_module(f".{name}", __package__))
