"""A trained encoder in Python: waveforms, texts or images in, features out, as in `data2vec features`."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, List, Optional, Sequence, Union

from torch import Tensor

from ..checkpoints.encoder_checkpoint import open_checkpoint
from .batches import Batching, batch_limit
from .by_modality import prepare
from .encode import LAST, NONE, Wanted, check_pool, chosen_device, encode, model_device, parse_layers, taken_apart
from .items import BadItemError, Input, Item
from .text_files import Given


class FrozenEncoder:
    """The encoder of a checkpoint, pre-trained or fine-tuned, as returned by :func:`data2vec_plugin.load`.

    Attributes:
        modality: ``speech``, ``text`` or ``image``.
        sample_rate: in Hz, for speech; None for text and images.
        model: the fairseq model, in evaluation mode.
        layers: number of Transformer blocks.
    """

    def __init__(
        self,
        path: Path,
        device: Optional[str],
        teacher: bool,
        text: Given,
        truncate: bool,
        modality: Optional[str] = None,
    ) -> None:
        checkpoint = open_checkpoint(path).of(modality)
        self.modality = checkpoint.modality
        self.name = checkpoint.name
        model, self.reader = prepare(checkpoint, teacher, path.parent, text, truncate)
        self.model = model.to(chosen_device(device, "device")).requires_grad_(False)
        self.teacher = teacher
        self.sample_rate: Optional[int] = self.reader.sizes_per_unit if self.modality == "speech" else None
        self.layers = len(list(self.model.encoder.transformer.layers))  # type: ignore[arg-type]

    def __repr__(self) -> str:
        rate = f", {self.sample_rate} Hz" if self.sample_rate else ""
        return f"<{self.name}, {self.modality}{rate}, {self.layers} blocks, on {model_device(self.model)}>"

    def encode(
        self,
        source: Any,
        *,
        layer: Union[int, str, Sequence[Union[int, str]]] = LAST,
        pool: str = NONE,
        sample_rate: Optional[int] = None,
        batch: Optional[float] = None,
    ) -> Any:
        """Features of one item, or the list of features of a list of items, in its order.

        Speech is a waveform, floats (samples,) from -1 to 1 at :attr:`sample_rate`; text is a string; an image is a
        Pillow image or uint8 (height, width, 3). Speech and images may also be paths of files. The features of an item
        do not depend on the other items of a call.

        Args:
            source: an item, or a list or tuple of items.
            layer: a block counted from 0, ``"last"`` (the encoder's output), or a list of these.
            pool: ``none``, ``mean``, or for images ``class_token``.
            sample_rate: sample rate of waveforms, if known: raises ValueError if it differs from the model's.
            batch: seconds, tokens or images per batch (60, 4096, 32).

        Returns:
            A float tensor (frames, channels) on the model's device, (channels,) if pooled; with a list of layers
            these are stacked along a first axis. For text, ``<s>`` and ``</s>`` have a frame each.

        Raises:
            ValueError: an item without features (the message names it), or an option out of range.
        """
        self._check_rate(sample_rate)
        wanted = Wanted(parse_layers(as_text(layer), self.layers, "layer"), self.teacher, pool)
        check_pool(pool, self.model, self.name, "pool")
        several = isinstance(source, (list, tuple))
        inputs = self._sized_up(source if several else [source], several)
        batching = Batching(batch_limit(batch, self.reader, "batch"), self.model.config.reference_compat)
        found: List[Optional[Tensor]] = [None] * len(inputs)
        for group in batching.groups(inputs):
            rows = [_loaded(each) for each in group]
            outputs = encode(self.model, *self.reader.collate(rows), wanted)
            for each, (features, _) in zip(group, taken_apart(self.reader, rows, outputs, wanted)):
                if not bool(features.isfinite().all()):
                    raise ValueError(f"{each.item.place}: its features are not finite")
                found[int(each.item.name)] = features
        for remark in self.reader.remarks():
            warnings.warn(remark, stacklevel=2)
        return found if several else found[0]

    def _check_rate(self, sample_rate: Optional[int]) -> None:
        """Raise ValueError for a sample rate that differs from the model's."""
        if sample_rate is None or sample_rate == self.sample_rate:
            return
        if self.sample_rate is None:
            raise ValueError(f"`sample_rate` is {sample_rate}, but {self.modality} has no sample rate; leave it out")
        raise ValueError(
            f"`sample_rate` is {sample_rate}, the model's {self.sample_rate}: resample first, for instance with "
            f"soxr.resample(waveform, {sample_rate}, {self.sample_rate})"
        )

    def _sized_up(self, values: Sequence[object], several: bool) -> List[Input]:
        """Each item, examined; raises ValueError for one without features."""
        inputs = []
        for place, value in enumerate(values):
            item = Item(str(place), self._place(value, place if several else None), "")
            try:
                inputs.append(self.reader.take(value, item))
            except BadItemError as error:
                raise _refused(item, error) from error
        return inputs

    def _place(self, value: object, place: Optional[int]) -> str:
        """An item's name in messages: its file, and its number if there are several."""
        file = str(value) if isinstance(value, (str, Path)) and self.modality != "text" else "`source`"
        return file if place is None else f"item {place}" + f" ({file})" * (file != "`source`")


def _loaded(each: Input) -> Tensor:
    """The model's input; raises ValueError for an item that cannot be read."""
    try:
        return each.load()
    except BadItemError as error:
        raise _refused(each.item, error) from error


def _refused(item: Item, error: BadItemError) -> ValueError:
    return ValueError(f"{item.place}: {error}")


def as_text(layer: Union[int, str, Sequence[Union[int, str]]]) -> str:
    """Blocks in the format of `--layer`: ``[3, "last"]`` -> ``"3,last"``."""
    return ",".join(map(str, layer)) if isinstance(layer, (list, tuple)) else str(layer)
