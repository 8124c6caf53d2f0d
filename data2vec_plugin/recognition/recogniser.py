"""Recognisers: models that turn clips into CTC emissions, read from any supported kind of file."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, Optional, Protocol, Sequence, Tuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ..checkpoints.encoder_checkpoint import Checkpoint, add_tensors, build_encoder, checkpoint_of, open_checkpoint
from ..convert.from_hf import described, state_of
from ..convert.modality import Given
from ..convert.speech import find_dictionary, head
from ..features.batches import Batching
from ..features.encode import Wanted, chosen_device, encode
from ..features.items import Item
from ..features.speech import SpeechReader
from ..files.onnx_model import is_onnx
from ..interop.huggingface.ctc import BLANK
from ..interop.identify import TITLES, identify

CTC = "wav2vec_ctc"
Clip = NDArray[np.float32]


class Recogniser(Protocol):
    """Turns clips into log-probabilities of symbols.

    Attributes:
        name: the model's registered name, for messages.
        digest: identifies the recogniser by configuration and weights.
        symbols: the columns of emissions, in fairseq's order: ``<s>`` is the blank.
        blank: the blank's column.
        sample_rate: sample rate of the clips, in Hz.
        normalize: whether the recogniser normalises each clip to zero mean and unit variance.
        hop: samples from the beginning of one frame to that of the next.
        shortest: samples that one frame sees; a shorter clip has no frames.
        like_only: padding changes the outputs, so that only clips of equal length share a batch.
    """

    name: str
    digest: str
    symbols: List[str]
    blank: int
    sample_rate: int
    normalize: bool
    hop: int
    shortest: int
    like_only: bool

    def emissions(self, clips: Sequence[Clip]) -> List[Tensor]:
        """Clips (samples,), floats from -1 to 1, not normalised -> (T, V) log-probabilities each, fp32, on the CPU.

        They are computed as one batch, padding is removed, and results do not depend on other clips. Raises ValueError
        for a clip that is shorter than :attr:`shortest` or holds values that are not finite.
        """


@dataclass(frozen=True)
class BlankWeight:
    """How fairseq's ``wav2vec_ctc`` changes the blank's logit: ``add`` the weight or ``set`` it; nothing at 0."""

    weight: float
    mode: str

    def apply(self, logits: Tensor, blank: int) -> Tensor:
        """Logits (T, V), changed in place."""
        if self.weight and self.mode == "add":
            logits[:, blank] += self.weight
        elif self.weight:
            logits[:, blank] = self.weight
        return logits


class CtcRecogniser:
    """A :class:`Recogniser` from a checkpoint of fairseq's ``wav2vec_ctc`` on a data2vec encoder.

    Attributes:
        encoder: the registered name of the encoder, which :attr:`model` is built from.
        weight, bias: those of the output layer, (V, C) and (V,), before :attr:`blank_weight` is applied.
    """

    def __init__(self, checkpoint: Checkpoint, dictionary: Optional[Path], device: Optional[str]) -> None:
        self.name, self.encoder = CTC, checkpoint.name
        self.symbols: List[str] = list(find_dictionary(checkpoint, Given(dictionary=dictionary)).symbols)
        self.blank = self.symbols.index(BLANK)
        self.blank_weight = blank_weight(checkpoint)
        self._device = chosen_device(device)
        model = build_encoder(checkpoint, teacher=False)
        self.model = model.to(self._device).requires_grad_(False)
        self.weight, self.bias = (tensor.to(self._device) for tensor in output_layer(checkpoint))
        conv_layers = model.encoder.embedder.audio.conv_layers
        self._reader = SpeechReader(checkpoint.task_of("audio"), conv_layers)
        self.sample_rate, self.normalize = self._reader.sizes_per_unit, self._reader.normalize
        self.shortest = self._reader.shortest
        self.hop = int(np.prod([stride for _, _, stride in conv_layers]))
        self.like_only = bool(model.config.reference_compat)
        self.digest = digest(checkpoint)

    def emissions(self, clips: Sequence[Clip]) -> List[Tensor]:
        """See :meth:`Recogniser.emissions`."""
        return computed(self._reader, clips, self.like_only, self._computed)

    def _computed(self, rows: List[Tensor]) -> List[Tensor]:
        outputs = encode(self.model, *self._reader.collate(rows), Wanted())[0]
        return [self._log_probs(output[self._reader.span(row, len(output))]) for row, output in zip(rows, outputs)]

    @torch.no_grad()
    def _log_probs(self, output: Tensor) -> Tensor:
        """The encoder's output (T, C) -> (T, V)."""
        logits = F.linear(output.float(), self.weight, self.bias)
        return F.log_softmax(self.blank_weight.apply(logits, self.blank), dim=-1).cpu()


def computed(
    reader: SpeechReader, clips: Sequence[Clip], like_only: bool, compute: Callable[[List[Tensor]], List[Tensor]]
) -> List[Tensor]:
    """Outputs of ``compute`` on clips that ``reader`` has prepared in batches, in the order of ``clips``."""
    inputs = [reader.take(clip, Item(str(place), f"clip {place}", "")) for place, clip in enumerate(clips)]
    found: Dict[int, Tensor] = {}
    for group in Batching(sys.maxsize, like_only).groups(inputs):
        for each, emissions in zip(group, compute([each.load() for each in group])):
            found[int(each.item.name)] = emissions
    return [found[place] for place in range(len(clips))]


def open_recogniser(path: Path, device: Optional[str] = None, dictionary: Optional[Path] = None) -> Recogniser:
    """A recogniser from a checkpoint of this plugin or of upstream, a Hugging Face folder, or an ONNX file.

    ``dictionary`` is the dict.txt of its labels if the checkpoint has none. Raises ValueError for a file that is no
    CTC recogniser, or cannot be read.
    """
    if path.is_file() and is_onnx(path):
        from .onnx_recogniser import OnnxRecogniser

        if dictionary is not None:
            raise ValueError(f"`--dict`: {path} includes its own symbols; leave the option out")
        return OnnxRecogniser(path, device)
    if not path.is_dir():
        return CtcRecogniser(of_ctc(open_checkpoint(path)), dictionary, device)
    found = described(path, Given(dictionary=dictionary))
    if found.kind != "ctc":
        raise ValueError(
            f"{path} is of architecture {', '.join(found.hf.get('architectures') or ['unknown'])}; expected a "
            f"CTC recogniser, Data2VecAudioForCTC"
        )
    # a dictionary given by the user is in the state already
    return CtcRecogniser(of_ctc(checkpoint_of(path, state_of(found)[0])), None, device)


def of_ctc(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint, for speech; raises ValueError if it is no CTC recogniser."""
    name = checkpoint.model.get("_name", checkpoint.name)
    if name != CTC:
        found = identify({"cfg": {"model": checkpoint.model or checkpoint.root["model"]}})
        raise ValueError(
            f"checkpoint {checkpoint.path}: it is {found.words}; expected `{CTC}` ({TITLES[CTC]}): give one that was "
            f"fine-tuned on transcripts, as recipes of task `data2vec_asr` do"
        )
    return checkpoint.of("speech")


def output_layer(checkpoint: Checkpoint) -> Tuple[Tensor, Tensor]:
    """Weight (V, C) and bias (V,); raises ValueError if the checkpoint lacks them."""
    found = head(checkpoint, Given())
    return found["head.weight"], found["head.bias"]


def blank_weight(checkpoint: Checkpoint) -> BlankWeight:
    """The checkpoint's settings for the blank; raises ValueError for a mode that fairseq does not support."""
    weight, mode = checkpoint.model.get("blank_weight") or 0, checkpoint.model.get("blank_mode") or "add"
    if mode not in ("add", "set"):
        raise ValueError(f"checkpoint {checkpoint.path}: `model.blank_mode` is {mode!r}; expected add or set")
    return BlankWeight(float(weight), str(mode))


def digest(checkpoint: Checkpoint) -> str:
    """Digest of the encoder, its output layer, and the settings for the blank."""
    content = hashlib.sha256(checkpoint.digest(teacher=False).encode())
    add_tensors(content, sorted(checkpoint.head.items()))
    content.update(f"{blank_weight(checkpoint)}".encode())
    return content.hexdigest()[:16]
