"""Reads the string that describes the convolutions of a speech feature extractor, without evaluating code."""

from __future__ import annotations

import ast
from typing import Any, List, Sequence

from ..core.config import ConvSpec

MOST_LAYERS = 1000


def parse_conv_layers(text: str) -> List[ConvSpec]:
    """``"[(512, 10, 5)] + [(512, 3, 2)] * 4"`` -> [(512, 10, 5), (512, 3, 2), …].

    Lists of (channels, kernel, stride), joined with + and repeated with *. Raises ValueError for anything else.
    """
    try:
        layers: Any = _evaluate(ast.parse(text, mode="eval").body)
        specs = [(int(dim), int(kernel), int(stride)) for dim, kernel, stride in layers]
    except (SyntaxError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(
            f"`conv_feature_layers` is {text!r}, which is not a list of (channels, kernel, stride): {error}; "
            'write it like "[(512,10,5)] + [(512,3,2)] * 4"'
        ) from error
    if not specs or any(value < 1 for spec in specs for value in spec):
        raise ValueError(f"`conv_feature_layers` is {text!r}; expected at least one layer and positive numbers")
    return specs


def _evaluate(node: ast.AST) -> object:
    """Numbers, tuples, lists, + of lists and * of a list with a number; nothing else has a meaning here."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value
    if isinstance(node, ast.Tuple):
        return tuple(_evaluate(item) for item in node.elts)
    if isinstance(node, ast.List):
        return [_evaluate(item) for item in node.elts]
    if isinstance(node, ast.BinOp):
        left, right = _evaluate(node.left), _evaluate(node.right)
        if isinstance(node.op, ast.Add) and isinstance(left, list) and isinstance(right, list):
            return left + right
        layers, times = (left, right) if isinstance(left, list) else (right, left)
        if isinstance(node.op, ast.Mult) and isinstance(layers, list) and isinstance(times, int):
            return repeated(layers, times)
    raise ValueError(f"unexpected {type(node).__name__}")


def repeated(layers: List[Any], times: int) -> List[Any]:
    """``layers * times``, within reason."""
    if len(layers) * times > MOST_LAYERS:
        raise ValueError(f"more than {MOST_LAYERS} layers")
    return layers * times


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
