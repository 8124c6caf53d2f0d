"""A checkpoint's model and the reader that feeds it, by modality."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List, Tuple

from ..checkpoints.encoder_checkpoint import Checkpoint, build_encoder
from ..interop.fairseq.text_v1 import vocabulary_size
from .image import ImageReader
from .items import Reader
from .speech import SpeechReader
from .text import TextReader
from .text_files import Given, find_text_files


def prepare(checkpoint: Checkpoint, teacher: bool, beside: Path, given: Given, truncate: bool) -> Tuple[Any, Reader]:
    """Build the model and its reader; ``beside`` is the folder of the data, which may hold the dictionary.

    Raises ValueError for options that the modality does not support, or that it requires and are missing.
    """
    if checkpoint.modality != "text" and (truncate or given != Given()):
        raise ValueError(
            f"--dict, --sentencepiece, --gpt2-bpe, --symbols and --too-long are for text; {checkpoint.path} is a "
            f"`{checkpoint.name}`"
        )
    if checkpoint.modality == "text":
        return _text(checkpoint, teacher, beside, given, truncate)
    model: Any = build_encoder(checkpoint, teacher)
    if checkpoint.modality == "speech":
        return model, SpeechReader(checkpoint.task_of("audio"), model.encoder.embedder.audio.conv_layers)
    return model, ImageReader(checkpoint.task_of("image"), model.encoder.embedder.image.size)


def _text(checkpoint: Checkpoint, teacher: bool, beside: Path, given: Given, truncate: bool) -> Tuple[Any, TextReader]:
    folders = [beside, checkpoint.path.parent]
    files = find_text_files(given, checkpoint.task_of("text"), folders, vocabulary_size(checkpoint.weights))
    model: Any = build_encoder(checkpoint, teacher, files.dictionary)
    longest = [model.encoder.embedder.text.max_positions, model.max_positions()]
    return model, TextReader(files, min(filter(None, longest)), truncate)


def described(checkpoint: Checkpoint, reader: Reader) -> List[str]:
    """Lines that describe what was derived from the checkpoint."""
    lines = [f"{checkpoint.path}: {checkpoint.name}, {checkpoint.modality}"]
    if isinstance(reader, TextReader):
        lines.append(f"dictionary {reader.files.dictionary_path}, subwords {reader.files.cut_by}")
    else:
        lines.append(", ".join(f"{name} {value}" for name, value in reader.settings().items()))
    return lines
