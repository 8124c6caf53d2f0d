"""The metadata that `data2vec export` writes into an ONNX file, so that nothing else is needed to run it."""

from __future__ import annotations

import json
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

from ..files.onnx_model import OnnxModel
from ..files.unusable import UnusableFileError

FORMAT = "data2vec_format"
"""The key that marks a file as exported by this package; its value is the version of the format."""
VERSION = "1"
CTC, ENCODER = "ctc", "encoder"
SOURCES = {"speech": "source", "text": "tokens", "image": "pixels"}
"""The first input, by modality; models whose rows may differ in length have a second, ``lengths`` (B,)."""
LENGTHS = "lengths"
OUTPUTS = {CTC: "log_probs", ENCODER: "features"}
"""The first output; if rows may differ in length, there is a second, ``frames`` (B,): how many are not padding."""
FRAMES = "frames"


@dataclass(frozen=True)
class Exported:
    """Facts of an exported model.

    Attributes:
        what: ``ctc``, which outputs log-probabilities, or ``encoder``, which outputs features.
        modality: ``speech``, ``text`` or ``image``.
        model: the registered name of the encoder.
        precision: ``float32``, or ``int8`` if its matrices are quantised.
        checkpoint: name of the checkpoint's file; ``digest``: digest of its configuration and weights.
        versions: versions of the packages that wrote the file.
        sample_rate: in Hz, for speech; ``normalize``: whether each clip must have mean 0 and variance 1.
        conv_layers: for speech, (channels, kernel, stride) of each convolution, which determine the number of frames.
        hop: samples between the starts of successive frames; ``shortest``: samples that one frame needs.
        like_only: padding changes the model's output, so the rows of a batch must have the same length.
        symbols: for CTC, the symbol of each output; ``blank`` is the index of CTC's blank.
        prepared: for text and images, how inputs are prepared, as JSON.
    """

    what: str
    modality: str
    model: str
    precision: str = ""
    checkpoint: str = ""
    digest: str = ""
    versions: str = ""
    sample_rate: int = 0
    normalize: bool = False
    conv_layers: Tuple[Tuple[int, int, int], ...] = ()
    hop: int = 0
    shortest: int = 0
    like_only: bool = False
    symbols: Tuple[str, ...] = ()
    blank: int = 0
    prepared: str = ""

    def metadata(self) -> Dict[str, str]:
        """Return the metadata for an ONNX file: strings by name, all other values as JSON."""
        values = {name: written(value) for name, value in asdict(self).items() if value not in ("", ())}
        return {FORMAT: VERSION, **values}


def written(value: Any) -> str:
    """Return a string unchanged, any other value as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def exported(path: Path, model: OnnxModel) -> Optional[Exported]:
    """The metadata of a file exported by this package; None for other files.

    Raises :class:`UnusableFileError` if they are incomplete, or of a format that this version does not know.
    """
    version = model.metadata.get(FORMAT)
    if version is None:
        return None
    if version != VERSION:
        raise UnusableFileError.of(
            path,
            f"its `{FORMAT}` is {version!r}, but this package supports {VERSION}; update the package, or export again",
        )
    try:
        return _read(model.metadata)
    except (KeyError, ValueError, TypeError) as error:
        raise UnusableFileError.of(path, f"its metadata are incomplete or damaged ({error}); export again") from error


def _read(metadata: Mapping[str, str]) -> Exported:
    values: Dict[str, Any] = {}
    for each in fields(Exported):
        if each.name in metadata or each.default is MISSING:
            values[each.name] = READ.get(each.name, READ.get(str(each.type), str))(metadata[each.name])
    if values["what"] not in OUTPUTS or values["modality"] not in SOURCES:
        raise ValueError(f"{values['what']} of {values['modality']}")
    if values["what"] == CTC and not 0 <= values.get("blank", 0) < len(values.get("symbols", ())):
        raise ValueError("no symbol is marked as the blank")
    return Exported(**values)


def _number(text: str) -> int:
    return int(json.loads(text))


def _layers(text: str) -> Tuple[Tuple[int, int, int], ...]:
    return tuple((int(channels), int(kernel), int(stride)) for channels, kernel, stride in json.loads(text))


READ: Dict[str, Callable[[str], Any]] = {
    "symbols": lambda text: tuple(str(symbol) for symbol in json.loads(text)),
    "conv_layers": _layers,
    "int": _number,
    "bool": lambda text: bool(json.loads(text)),
}
"""Parsers of values, by field or by type; all other values are strings."""
