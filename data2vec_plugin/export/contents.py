"""The contents of an ONNX file, from a checkpoint: the graph, its metadata, and inputs to test it on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from ..checkpoints.encoder_checkpoint import Checkpoint, open_checkpoint
from ..checkpoints.exported import CTC, ENCODER, FRAMES, LENGTHS, OUTPUTS, SOURCES, Exported
from ..features.by_modality import prepare
from ..features.image import ImageReader
from ..features.speech import SpeechReader
from ..features.text import TextReader
from ..features.text_files import Given
from ..modalities.conv_spec import ConvSpec, receptive_field, samples_for
from ..recognition.recogniser import BlankWeight, CtcRecogniser, open_recogniser
from .graphs import CtcHead, ImageGraph, PaddedGraph

FRAMES_TRIED = (1, 17, 50, 103, 250)
"""Lengths at which a file must agree with torch, in frames; 250 are five seconds with the published extractor."""
TOKENS_TRIED = (3, 5, 17, 50, 100)
PICTURES = (1, 2, 3, 4, 5)
Inputs = Tuple[Tensor, ...]


@dataclass(frozen=True)
class Contents:
    """A ``graph``, the names of its inputs and outputs, its metadata (``facts``), and test inputs, a batch last."""

    graph: nn.Module
    inputs: List[str]
    outputs: List[str]
    facts: Exported
    tried: Sequence[Inputs]


def contents(path: Path, what: Optional[str], dictionary: Optional[Path], modality: Optional[str]) -> Contents:
    """What to export of a checkpoint: the recogniser if it is one, unless its encoder is requested.

    A Hugging Face folder is accepted if it holds a recogniser. Raises ValueError for a checkpoint without a CTC output
    layer if one is requested, or without its dictionary.
    """
    if path.is_dir() or what == CTC:
        return _recogniser(path, what, dictionary)
    checkpoint = open_checkpoint(path).of(modality)
    if what is None and checkpoint.model.get("_name") == "wav2vec_ctc":
        return _recogniser(path, what, dictionary)
    return _encoder(checkpoint, dictionary)


def _recogniser(path: Path, what: Optional[str], dictionary: Optional[Path]) -> Contents:
    if what == ENCODER:
        raise ValueError(
            f"`--what encoder`: {path} is a Hugging Face folder, which is exported only as a recogniser; convert it "
            f"first with `data2vec convert --to fairseq`"
        )
    recogniser = open_recogniser(path, "cpu", dictionary)
    if not isinstance(recogniser, CtcRecogniser):
        raise ValueError(f"{path} is an exported file already; give the checkpoint that it was made from")
    kept, added = _of_blank(recogniser.blank_weight, len(recogniser.symbols), recogniser.blank)
    graph = PaddedGraph(recogniser.model.encoder, CtcHead(recogniser.weight, recogniser.bias, kept, added))
    facts = Exported(
        what=CTC,
        model=recogniser.encoder,
        checkpoint=path.name,
        digest=recogniser.digest,
        symbols=tuple(recogniser.symbols),
        blank=recogniser.blank,
        **_of_speech(recogniser.model, recogniser.sample_rate, recogniser.normalize),
    )
    return _padded(graph, facts, _clips(facts))


def _of_blank(weight: BlankWeight, symbols: int, blank: int) -> Tuple[Tensor, Tensor]:
    """The factors of the logits, and what is added to them."""
    kept, added = torch.ones(symbols), torch.zeros(symbols)
    if weight.weight:
        kept[blank] = float(weight.mode == "add")
        added[blank] = weight.weight
    return kept, added


def _encoder(checkpoint: Checkpoint, dictionary: Optional[Path]) -> Contents:
    of_text = checkpoint.modality == "text"
    if dictionary is not None and not of_text:
        raise ValueError(f"`--dict`: an encoder of {checkpoint.modality} has no dictionary; leave it out")
    given = Given(dictionary, symbols=True) if of_text else Given()
    model, reader = prepare(checkpoint, False, checkpoint.path.parent, given, False)
    model.requires_grad_(False)
    named: Dict[str, Any] = {"what": ENCODER, "model": checkpoint.name, "checkpoint": checkpoint.path.name}
    named["digest"] = checkpoint.digest(teacher=False)
    if isinstance(reader, SpeechReader):
        facts = Exported(**named, **_of_speech(model, reader.sizes_per_unit, reader.normalize))
        return _padded(PaddedGraph(model.encoder), facts, _clips(facts))
    facts = Exported(**named, modality=checkpoint.modality, prepared=json.dumps(reader.settings()))
    if isinstance(reader, TextReader):
        symbols, longest = len(reader.dictionary), reader.longest
        rows = [torch.randint(4, symbols, (min(size, longest),), generator=_seeded(size)) for size in TOKENS_TRIED]
        return _padded(PaddedGraph(model.encoder), facts, rows, reader.dictionary.pad())
    if not isinstance(reader, ImageReader):
        raise ValueError(f"checkpoint {checkpoint.path}: models of {checkpoint.modality} cannot be exported")
    pictures = [(torch.randn(count, 3, reader.size, reader.size, generator=_seeded(count)),) for count in PICTURES]
    return Contents(ImageGraph(model.encoder), [SOURCES["image"]], [OUTPUTS[ENCODER]], facts, pictures)


def _of_speech(model: Any, sample_rate: int, normalize: bool) -> Dict[str, Any]:
    layers: Sequence[ConvSpec] = model.encoder.embedder.audio.conv_layers
    return {
        "modality": "speech",
        "sample_rate": sample_rate,
        "normalize": normalize,
        "conv_layers": tuple(layers),
        "hop": prod(stride for _, _, stride in layers),
        "shortest": receptive_field(layers),
        "like_only": bool(model.config.reference_compat),
    }


def _clips(facts: Exported) -> List[Tensor]:
    """Noise of several lengths and volumes."""
    sizes = [samples_for(frames, facts.conv_layers) for frames in FRAMES_TRIED]
    rows = [torch.randn(size, generator=_seeded(size)) / (1 + place) for place, size in enumerate(sizes)]
    return [F.layer_norm(row, row.shape) for row in rows] if facts.normalize else rows


def _padded(graph: PaddedGraph, facts: Exported, rows: List[Tensor], padding: int = 0) -> Contents:
    """Test inputs: each row as a batch of one, and all rows in one batch."""
    tried = [(row[None], torch.tensor([len(row)])) for row in rows]
    lengths = torch.tensor([len(row) for row in rows])
    tried.append((pad_sequence(rows, batch_first=True, padding_value=padding), lengths))
    return Contents(graph, [SOURCES[facts.modality], LENGTHS], [OUTPUTS[facts.what], FRAMES], facts, tried)


def _seeded(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)
