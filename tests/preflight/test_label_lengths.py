"""Labels that cannot belong to their clips."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, List

import numpy as np

from data2vec_plugin.preflight.finding import WARNING, Findings
from data2vec_plugin.preflight.label_lengths import check_labels

LAYERS = [(8, 10, 10)]  # a frame every ten samples


def warnings(sizes: List[int], labels: List[str]) -> List[str]:
    audio = SimpleNamespace(
        sizes=np.array(sizes), manifest=Path("train.tsv"), where=lambda index: f"train.tsv:{index + 2}"
    )
    dataset: Any = SimpleNamespace(dataset=audio, get_label=lambda index: labels[index])
    findings = Findings()
    check_labels("train", dataset, LAYERS, findings)
    return findings.of(WARNING)


def test_ctc_needs_a_frame_for_each_symbol_and_a_blank_between_equal_ones() -> None:
    assert not warnings([60], ["H E L L O"])
    (warning,) = warnings([60, 50], ["H E L L O", "H E L L O"])
    assert "1 of 2 clips have fewer frames" in warning
    assert "train.tsv:3 (5 frames, 6 needed)" in warning


def test_labels_in_another_order_are_noticed() -> None:
    rng = np.random.default_rng(0)
    words = rng.integers(3, 30, 500)
    labels = [" ".join("AB"[place % 2] for place in range(count)) for count in words]
    sizes = [int(count * rng.uniform(150, 250)) for count in words]
    assert not warnings(sizes, labels)
    (warning,) = warnings(sizes[::-1], labels)
    assert "the label file may be in another order than train.tsv" in warning


def test_labels_of_one_length_say_nothing_about_their_order() -> None:
    assert not warnings([1000 + place for place in range(200)], ["A B C"] * 200)
    assert not warnings([1000, 2000], ["A B C", "A"])
