"""data2vec for fairseq. Importing it lets stock fairseq run here and registers our models, tasks and criterions.

Nothing of fairseq is imported by that: what needs it is registered as soon as fairseq is there.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Union

from . import host as host  # with its `launching`, which is loaded already where fairseq was first
from .compat import install, patches

if TYPE_CHECKING:
    from .features.frozen_encoder import FrozenEncoder
    from .recognition.transcription.transcribing import Transcriber

__version__ = "0.2.0"
PathLike = Union[str, Path]


def load(
    checkpoint: PathLike,
    *,
    device: Optional[str] = None,
    teacher: bool = False,
    dictionary: Optional[PathLike] = None,
    sentencepiece: Optional[PathLike] = None,
    gpt2_bpe: Optional[PathLike] = None,
    symbols: bool = False,
    truncate: bool = False,
    modality: Optional[str] = None,
) -> FrozenEncoder:
    """Load the encoder of a checkpoint for use from Python: ``load(path).encode(waveform)``.

    Args:
        checkpoint: a checkpoint of this plugin or of upstream, pre-trained or fine-tuned.
        device: cpu, cuda or cuda:N; a GPU by default if there is one.
        teacher: compute with the average of the weights (EMA), which a pre-trained checkpoint holds.
        dictionary: of text: its dict.txt, unless it is next to the checkpoint or in the data folder of its training.
        sentencepiece: of text: the .model file of its subwords, unless it is next to the dictionary.
        gpt2_bpe: of text: the folder with encoder.json and vocab.bpe, likewise.
        symbols: the text is already split into the dictionary's symbols.
        truncate: truncate text of more tokens than the model has positions, instead of raising.
        modality: speech, text or image, for a checkpoint of several modalities.

    Raises:
        ValueError: the file is not a checkpoint with a data2vec encoder, or files needed for text are missing.
    """
    from .features.frozen_encoder import FrozenEncoder
    from .features.text_files import Given

    paths = [None if each is None else Path(each) for each in (dictionary, sentencepiece, gpt2_bpe)]
    text = Given(paths[0], paths[1], paths[2], symbols)
    return FrozenEncoder(Path(checkpoint), device, teacher, text, truncate, modality)


def load_recogniser(
    checkpoint: PathLike,
    *,
    device: Optional[str] = None,
    dictionary: Optional[PathLike] = None,
    **search: Any,
) -> Transcriber:
    """A recogniser, to be called from Python: ``load_recogniser(path).transcribe("talk.flac").text``.

    Args:
        checkpoint: fine-tuned with CTC, ours or upstream's; a folder of Hugging Face's; or an ONNX file.
        device: cpu, cuda or cuda:N; a GPU by default if there is one.
        dictionary: of its labels, where the checkpoint holds none.
        search: options of beam search, as `data2vec transcribe` has them (``beam=100, lexicon="lexicon.txt"``);
            without any, greedy decoding.

    Raises:
        ValueError: the file is no recogniser, or an option cannot be.
    """
    from .decoding.options import BeamOptions, build_decoder
    from .recognition.recogniser import open_recogniser
    from .recognition.transcription.transcribing import Transcriber

    recogniser = open_recogniser(Path(checkpoint), device, None if dictionary is None else Path(dictionary))
    files = {name: Path(search[name]) for name in ("lexicon", "lm_model") if search.get(name) is not None}
    options = BeamOptions(**{**search, **files}) if search else None
    return Transcriber(recogniser, build_decoder(options, recogniser.symbols, recogniser.blank))


def register() -> None:
    """Put everything into fairseq's registries; called when fairseq has been imported."""
    from .registration import register_all

    register_all()


install()
patches().after_import("fairseq", register)
