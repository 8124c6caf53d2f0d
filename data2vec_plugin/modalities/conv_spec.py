"""Reads the string that describes the convolutions of a speech feature extractor, without evaluating code."""

from __future__ import annotations

from typing import Any, List, Sequence, Tuple

from data2vec_compat.literals import parse_literal

ConvSpec = Tuple[int, int, int]
"""One convolution: (channels, kernel, stride)."""

MOST_LAYERS = 1000


def parse_conv_layers(text: str) -> List[ConvSpec]:
    """``"[(512, 10, 5)] + [(512, 3, 2)] * 4"`` -> [(512, 10, 5), (512, 3, 2), …].

    Lists of (channels, kernel, stride), joined with + and repeated with *. Raises ValueError for anything else.
    """
    try:
        layers: Any = parse_literal(text)
        if len(layers) > MOST_LAYERS:
            raise ValueError(f"more than {MOST_LAYERS} layers")
        specs = [(_whole(dim), _whole(kernel), _whole(stride)) for dim, kernel, stride in layers]
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`conv_feature_layers` is {text!r}, which is not a list of (channels, kernel, stride): {error}; "
            'write it like "[(512,10,5)] + [(512,3,2)] * 4"'
        ) from error
    if not specs or any(value < 1 for spec in specs for value in spec):
        raise ValueError(f"`conv_feature_layers` is {text!r}; expected at least one layer and positive numbers")
    return specs


def _whole(value: Any) -> int:
    if not isinstance(value, int):
        raise ValueError(f"{value!r} is not a whole number")
    return value


def output_length(samples: int, layers: Sequence[ConvSpec]) -> int:
    """Frames that the convolutions make of ``samples`` audio samples; 0 if they are fewer than one frame needs."""
    length = samples
    for _, kernel, stride in layers:
        length = (length - kernel) // stride + 1 if length >= kernel else 0
    return length


def receptive_field(layers: Sequence[ConvSpec]) -> int:
    """Samples that one frame sees: the shortest clip that gives a frame."""
    return samples_for(1, layers)


def samples_for(frames: int, layers: Sequence[ConvSpec]) -> int:
    """The shortest clip, in samples, that gives ``frames`` frames."""
    samples = frames
    for _, kernel, stride in reversed(layers):
        samples = (samples - 1) * stride + kernel
    return samples
