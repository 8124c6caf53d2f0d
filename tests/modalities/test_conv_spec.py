"""The string that describes the convolutions: read, never run."""

from __future__ import annotations

from typing import List

import pytest
import torch
from torch import nn

from data2vec_plugin.modalities.conv_spec import (
    ConvSpec,
    output_length,
    parse_conv_layers,
    receptive_field,
    samples_for,
)

PUBLISHED = "[(512, 10, 5)] + [(512, 3, 2)] * 4 + [(512,2,2)] + [(512,2,2)]"


def test_published_extractor() -> None:
    layers = parse_conv_layers(PUBLISHED)
    assert layers == [(512, 10, 5), *[(512, 3, 2)] * 4, *[(512, 2, 2)] * 2]
    assert receptive_field(layers) == 400
    assert output_length(16_000, layers) == 49


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("[(4,3,2)]", [(4, 3, 2)]),
        ("2 * [(4,3,2)]", [(4, 3, 2)] * 2),
        ("[(4,3,2), (5,2,1)]*2", [(4, 3, 2), (5, 2, 1)] * 2),
        ("[[4,3,2]]", [(4, 3, 2)]),
    ],
)
def test_notations(text: str, layers: List[ConvSpec]) -> None:
    assert parse_conv_layers(text) == layers


@pytest.mark.parametrize(  # B23
    "text",
    [
        "__import__('os').system('true')",
        "[(open('/etc/passwd').fileno(), 1, 1)]",
        "[(512, 10, 5)] if True else []",
        "[x for x in [(1, 1, 1)]]",
        "[(2 ** 9, 3, 2)]",
        "[(512.5, 3, 2)]",
        "[(-1, 3, 2)]",
        "[(512, 3)]",
        "[512, 3, 2]",
        "[(0, 3, 2)]",
        "[]",
        "[(512, 3, 2)] * 0",
        "",
        "[(512, 3, 2)",
        "512",
        "'[(512, 3, 2)]'",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="`conv_feature_layers` is"):
        parse_conv_layers(text)


@pytest.mark.parametrize("samples", [1, 9, 24, 25, 26, 60, 101])
def test_lengths_are_those_of_the_convolutions(samples: int) -> None:
    layers = [(2, 10, 5), (2, 3, 2), (2, 2, 2)]
    frames = output_length(samples, layers)
    if samples >= receptive_field(layers):
        convolutions = nn.Sequential(nn.Conv1d(1, 2, 10, 5), nn.Conv1d(2, 2, 3, 2), nn.Conv1d(2, 2, 2, 2))
        assert convolutions(torch.zeros(1, 1, samples)).size(-1) == frames
    else:
        assert frames == 0


@pytest.mark.parametrize("frames", [1, 2, 7])
def test_samples_for_is_the_shortest_clip(frames: int) -> None:
    layers = parse_conv_layers(PUBLISHED)
    samples = samples_for(frames, layers)
    assert output_length(samples, layers) == frames
    assert output_length(samples - 1, layers) == frames - 1
    assert samples_for(1, layers) == receptive_field(layers)


@pytest.mark.parametrize("text", ["[(1,1,1)] * 999999999", "+".join(["[(1,1,1)]"] * 5000)])
def test_an_absurd_number_of_layers_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="`conv_feature_layers`"):
        parse_conv_layers(text)
