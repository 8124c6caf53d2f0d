"""A recogniser from an ONNX file that `data2vec export` has written; torch computes only the normalisation."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List, Optional, Sequence

import torch
from torch import Tensor

from ..checkpoints.exported import CTC, FRAMES, LENGTHS, OUTPUTS, SOURCES, Exported, exported
from ..features.speech import SpeechReader
from ..files.onnx_model import OnnxModel, read_onnx
from ..files.unusable import UnusableFileError
from .onnx_session import run, session
from .recogniser import Clip, computed


class OnnxRecogniser:
    """A :class:`~.recogniser.Recogniser`; see there for the attributes."""

    def __init__(self, path: Path, device: Optional[str] = None) -> None:
        facts = recogniser_facts(path, read_onnx(path))
        self.name = facts.model
        self.digest = f"{facts.digest}-{facts.precision}"
        self.symbols: List[str] = list(facts.symbols)
        self.blank = facts.blank
        self.sample_rate, self.normalize = facts.sample_rate, facts.normalize
        self.hop, self.shortest, self.like_only = facts.hop, facts.shortest, facts.like_only
        task = {"sample_rate": facts.sample_rate, "normalize": facts.normalize}
        self._reader = SpeechReader(task, facts.conv_layers)
        self._session: Any = session(path, device)

    def emissions(self, clips: Sequence[Clip]) -> List[Tensor]:
        """See :meth:`~.recogniser.Recogniser.emissions`."""
        return computed(self._reader, clips, self.like_only, self._computed)

    def _computed(self, rows: List[Tensor]) -> List[Tensor]:
        source, _ = self._reader.collate(rows)
        lengths = torch.tensor([len(row) for row in rows])
        log_probs, frames = run(self._session, {SOURCES["speech"]: source, LENGTHS: lengths})
        return [torch.from_numpy(output[: int(count)].copy()) for output, count in zip(log_probs, frames)]


def recogniser_facts(path: Path, model: OnnxModel) -> Exported:
    """The file's metadata; raises :class:`UnusableFileError` unless `data2vec export` wrote it as a recogniser."""
    facts = exported(path, model)
    if facts is None:
        raise UnusableFileError.of(
            path,
            "is an ONNX file of another program; expected a recogniser that `data2vec export` has written",
        )
    if facts.what != CTC:
        raise UnusableFileError.of(
            path,
            f"is an ONNX file of an encoder of {facts.modality}, which outputs features; expected a CTC recogniser: "
            f"export a checkpoint that was fine-tuned on transcripts",
        )
    missing = [name for name in (SOURCES["speech"], LENGTHS) if name not in model.inputs]
    missing += [name for name in (OUTPUTS[CTC], FRAMES) if name not in model.outputs]
    if missing:
        raise UnusableFileError.of(path, f"its graph has no {' and no '.join(missing)}; export it again")
    return facts
