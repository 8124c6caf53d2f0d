"""data2vec encoders of pictures and captions, one vector per sample, from pre-trained checkpoints or a meme
classifier's."""

from __future__ import annotations

from typing import Any, Dict, Optional, Sequence

import torch
from fairseq.data import Dictionary
from omegaconf import OmegaConf
from torch import Tensor, nn

from ...checkpoints.encoder_checkpoint import Checkpoint, build_encoder, untrained
from ...core.view import PlainView
from ...data.image.transforms import Normalization
from ...interop.identify import CAPITALS, MULTI
from ...multimodal.meme_mlp import masked_mean
from .._for_fairseq import EncoderAlone
from .caption_readers import CaptionReader, Data2VecReader, read_captions
from .kept_files import Files, packed, unpacked

Args = Dict[str, Any]


class Pixels(nn.Module):
    """Normalises pixels from 0 to 1; with ``release_preprocessing``, only reorders channels to BGR."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float], release_preprocessing: bool = False) -> None:
        super().__init__()
        self.release_preprocessing = release_preprocessing
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    def forward(self, img: Tensor) -> Tensor:
        """(B, 3, H, W) -> the same."""
        img = img.to(self.mean.dtype)
        return img.flip(1) if self.release_preprocessing else (img - self.mean) / self.std


class Data2VecImage(nn.Module):
    """Mean of the patches' vectors; the class token is left out."""

    def __init__(self, args: Args, model: Any = None, release_preprocessing: bool = False) -> None:
        super().__init__()
        self.model = encoder_alone(untrained({"model": args["model"]}), args) if model is None else model
        self.pixels = Pixels(args["mean"], args["std"], release_preprocessing)
        self.size = int(self.model.encoder.embedder.image.size)
        self.dim = int(self.model.config.transformer.dim)

    def forward(self, img: Tensor) -> Tensor:
        """Pixels (B, 3, size, size) from 0 to 1 -> (B, dim)."""
        patches: Tensor = self.model.encoder(self.pixels(img)).x
        return patches.mean(1)


class TextEncoder(nn.Module):
    """Base of the caption encoders; files that a reader needs are saved with the weights."""

    model: Any
    longest: int

    def __init__(self, files: Optional[Files], max_tokens: int) -> None:
        super().__init__()
        self.files, self.max_tokens = files, max_tokens
        self._reader: Optional[CaptionReader] = None

    def make_reader(self, files: Files) -> CaptionReader:
        """Return the reader that converts captions to ids."""
        raise NotImplementedError(f"{type(self).__name__} must implement how captions are read")

    def states(self, ids: Tensor, padding_mask: Tensor) -> Tensor:
        """Vectors (B, T, C) of tokens (B, T)."""
        raise NotImplementedError(f"{type(self).__name__} must implement the encoding of tokens")

    @property
    def reader(self) -> CaptionReader:
        """The caption reader, created when first used; raises ValueError before its files are loaded."""
        if self.files is None:
            raise ValueError(
                "this model cannot read captions before its weights are loaded, which include its subword model"
            )
        if self._reader is None:
            self._reader = self.make_reader(self.files)
        return self._reader

    def forward(self, captions: Sequence[str]) -> Tensor:
        """Captions -> mean of their tokens' vectors (B, C), in which padding does not count."""
        longest = min(self.longest, self.max_tokens or self.longest)
        ids, padding = read_captions(self.reader, captions, longest)
        device = next(self.parameters()).device
        ids, padding = ids.to(device), padding.to(device)
        return masked_mean(self.states(ids, padding), padding)

    def get_extra_state(self) -> Tensor:
        """The files, as bytes."""
        return packed(self.files or {})

    def set_extra_state(self, state: Tensor) -> None:
        """Restore the files of a checkpoint."""
        self.files, self._reader = unpacked(state), None


class Data2VecText(TextEncoder):
    """Mean of the subwords' vectors, including ``<s>`` and ``</s>``."""

    def __init__(self, args: Args, model: Any = None, files: Optional[Files] = None, max_tokens: int = 0) -> None:
        super().__init__(files, max_tokens)
        self.kind = str(args["subwords"])
        if model is None:
            model = encoder_alone(untrained({"model": args["model"]}, as_many_symbols(args["symbols"])), args)
        self.model = model
        longest = [self.model.encoder.embedder.text.max_positions, self.model.max_positions()]
        self.longest = min(filter(None, longest))
        self.dim = int(self.model.config.transformer.dim)

    def make_reader(self, files: Files) -> CaptionReader:
        """Return a reader with the dictionary and the subwords of pre-training."""
        return Data2VecReader(self.kind, files)

    def states(self, ids: Tensor, padding_mask: Tensor) -> Tensor:
        """Vectors (B, T, C)."""
        encoded: Tensor = self.model.encoder(ids, padding_mask).x
        return encoded


def image_from(checkpoint: Checkpoint, release_preprocessing: bool) -> tuple[Args, Data2VecImage]:
    """Return the description and the picture encoder of a checkpoint; raises ValueError for another modality."""
    checkpoint = of_modality(checkpoint, "image")
    normalization = Normalization.of_checkpoint(checkpoint.task)
    args = {**described(checkpoint), "mean": list(normalization.mean), "std": list(normalization.std)}
    encoder = encoder_alone(build_encoder(checkpoint, teacher=False), args)
    return args, Data2VecImage(args, encoder, release_preprocessing)


def text_from(checkpoint: Checkpoint, kind: str, files: Files, max_tokens: int) -> tuple[Args, Data2VecText]:
    """The same for captions; ``kind`` and ``files`` are those of its subwords."""
    checkpoint = of_modality(checkpoint, "text")
    dictionary = Data2VecReader(kind, files).dictionary
    args = {**described(checkpoint), "subwords": kind, "symbols": len(dictionary)}
    return args, Data2VecText(
        args, encoder_alone(build_encoder(checkpoint, False, dictionary), args), files, max_tokens
    )


def of_modality(checkpoint: Checkpoint, modality: str) -> Checkpoint:
    """Restrict a checkpoint to ``modality``; raises ValueError, which names the key, if it lacks it."""
    if modality not in checkpoint.modalities:
        raise ValueError(
            f"`model.{modality}_path` is {checkpoint.path}, of model `{checkpoint.name}`, which reads "
            f"{' and '.join(checkpoint.modalities)}"
        )
    return checkpoint.of(modality)


def described(checkpoint: Checkpoint) -> Args:
    """Return the encoder's configuration, with interpolations resolved, and whether it was fine-tuned."""
    found: Any = OmegaConf.to_container(OmegaConf.create(checkpoint.root).model, resolve=True)
    if checkpoint.name == MULTI:
        (found["supported_modality"],) = (name for name, known in CAPITALS.items() if known == checkpoint.modality)
    return {"model": dict(found), "fine_tuned": checkpoint.fine_tuned}


def encoder_alone(model: Any, args: Args) -> Any:
    """Return the model without what only pre-training needs; its final norm stays, as in `data2vec features`.

    Fine-tuning has already removed the final norm of `data2vec_vision`.
    """
    several = args["model"].get("_name") == MULTI
    if args["fine_tuned"] or several:
        model.remove_pretraining_modules()
    if not several:
        model.method = EncoderAlone(model.method)
    model.encoder.view = PlainView()
    return model


def as_many_symbols(count: int) -> Dictionary:
    """Return a dictionary of ``count`` symbols, for a model whose own is loaded with its weights."""
    dictionary = Dictionary()
    for number in range(count - len(dictionary) - 1):
        dictionary.add_symbol(f"{number}")
    dictionary.add_symbol("<mask>")
    return dictionary
