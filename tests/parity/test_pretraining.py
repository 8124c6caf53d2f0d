"""Every recorded value of the `audio_*` pre-training cases, in the order of computation."""

from __future__ import annotations

import re
from typing import Any, Dict, List, NamedTuple

import pytest
import torch
from parity.cases import (
    FORWARD,
    Case,
    Tensors,
    audio_model,
    below,
    cases,
    differences,
    error,
    gradient_differences,
)
from parity.recorder import features, gradients, pretrain

INPUTS = ("source", "padding_mask", "mask_indices", "mask_channel_indices")
ROUNDED_TO_MULTIPLE = re.compile(r"layer_input$")


class Run(NamedTuple):
    """One recorded pass of a case: the variant of the model, and the prefix of its values."""

    case: Case
    variant: str
    prefix: str

    def __str__(self) -> str:
        return f"{self.case}{'-' if self.prefix else ''}{self.prefix.rstrip('.')}"

    def overrides(self) -> Dict[str, Any]:
        return self.case.variants()[self.variant]

    def inputs(self) -> Tensors:
        """The pass's own inputs, or else the ones that all passes of the variant, or of the case, share."""
        recorded = self.case.tensors("inputs")
        variant = f"{self.variant}." if self.variant else ""
        for prefix in (self.prefix, self.prefix[len(variant) :], variant, ""):
            if f"{prefix}source" in recorded:
                return {name: recorded[prefix + name] for name in INPUTS if prefix + name in recorded}
        raise KeyError(f"{self.case}: no source for {self.prefix!r}")

    def expected(self) -> Tensors:
        """Recorded values without the prefix; of no prefix, those that belong to no other pass."""
        recorded = below(self.prefix, self.case.tensors("expected"))
        others = [prefix for prefix in prefixes(self.case) if prefix.startswith(self.prefix) and prefix != self.prefix]
        return {key: value for key, value in recorded.items() if not (self.prefix + key).startswith(tuple(others))}


def prefixes(case: Case) -> List[str]:
    """What comes before `loss.sum` and before `features.x`: one prefix for every recorded pass."""
    ends = ("loss.sum", "features.x")
    return sorted({key[: -len(end)] for key in case.tensors("expected") for end in ends if key.endswith(end)})


def runs() -> List[Run]:
    found = []
    for case in cases("audio_*", "pretraining"):
        variants = case.variants()
        for prefix in prefixes(case):
            variant = prefix.split(".")[0] if prefix.split(".")[0] in variants else ""
            found.append(Run(case, variant, prefix))
    return found


def measured(run: Run, compat: bool) -> tuple[Tensors, Tensors]:
    """Forward values and gradients of our model on the inputs of ``run``."""
    section, state = run.case.json("config")["model"], run.case.tensors("state")
    state = below(f"{run.variant}.", state) or state
    model = audio_model(section, state, reference_compat=compat, **run.overrides())
    inputs = run.inputs()
    forward: Tensors = {}
    if "mask_indices" in inputs:
        forward.update(pretrain(model, inputs))
    layers = {int(n) for n in re.findall(r"features_layer(\d+)\.x", " ".join(run.expected()))}
    for layer in (None, *sorted(layers)):
        forward.update(features(model, inputs, layer))
    return forward, gradients(model, forward["loss.sum"]) if "loss.sum" in forward else {}


@pytest.mark.parametrize("run", runs(), ids=str)
def test_every_recorded_value(run: Run) -> None:
    forward, grads = measured(run, compat=True)
    expected = run.expected()
    for key, value in expected.items():
        if ROUNDED_TO_MULTIPLE.search(key):  # the reference pads the sequence to an even length here
            expected[key] = value[:, : forward[key].size(1)]
    recorded_grads = {key: value for key, value in expected.items() if key.startswith(("grad.", "grad_norm."))}
    assert not set(expected) - set(recorded_grads) - set(forward), "recorded, but not measured"
    assert not list(differences(forward, expected, FORWARD))
    assert not list(gradient_differences(grads, recorded_grads))
    unexpected = {key for key in grads if key.startswith("grad_norm.")} - set(recorded_grads)
    assert not recorded_grads or not [key for key in unexpected if float(grads[key]) > 0]


class Pair(NamedTuple):
    """A padded batch and one of its utterances alone."""

    alone: Run
    padded: Run

    def __str__(self) -> str:
        return str(self.alone)

    def settings(self) -> Dict[str, Any]:
        return {**self.alone.case.json("config")["model"], **self.alone.overrides()}

    def row(self) -> int:
        """Where the utterance is in the batch."""
        alone, padded = self.alone.inputs()["source"][0], self.padded.inputs()["source"]
        return next(row for row, source in enumerate(padded) if torch.equal(source[: len(alone)], alone))


def pairs() -> List[Pair]:
    ends = [run for run in runs() if run.prefix.endswith("alone.")]
    return [Pair(run, run._replace(prefix=run.prefix.replace("alone.", "padded."))) for run in ends]


@pytest.mark.parametrize("pair", pairs(), ids=str)
def test_padded_row_equals_the_same_utterance_alone(pair: Pair) -> None:  # B7, B31
    padded, _ = measured(pair.padded, compat=False)
    alone, _ = measured(pair.alone, compat=False)
    row, frames = pair.row(), alone["student.x"].size(1)
    assert torch.equal(pair.padded.inputs()["mask_indices"][row, :frames], pair.alone.inputs()["mask_indices"][0])
    keys = {key for key, value in alone.items() if value.dim() == 3 and value.size(0) == 1}
    assert {"student.layer_input", "student.x", "teacher.x", "targets", "features.x"} <= keys
    if pair.settings()["batch_norm_target_layer"]:  # one statistic for the batch: its rows belong together
        keys.remove("targets")
    assert not list(differences({key: padded[key][row : row + 1, :frames] for key in keys}, alone, FORWARD))


@pytest.mark.parametrize("pair", pairs(), ids=str)
def test_default_agrees_with_the_reference_where_nothing_is_padded(pair: Pair) -> None:
    settings = pair.settings()
    forward, _ = measured(pair.alone, compat=False)
    transposed = settings["instance_norm_target_layer"] or settings["batch_norm_target_layer"]
    wrong_axes = settings["group_norm_target_layer"] or settings["instance_norm_targets"]
    if (wrong_axes and not transposed) or not settings["ema_transformer_only"]:  # B32, and every layer averaged
        forward = {key: value for key, value in forward.items() if key.startswith(("student", "teacher", "features"))}
    assert not list(differences(forward, pair.alone.expected(), FORWARD))


leaking = [pair for pair in pairs() if pair.settings()["pos_conv_depth"] > 1]


@pytest.mark.parametrize("pair", leaking, ids=str)
def test_reference_leaks_padding_into_the_short_row_only(pair: Pair) -> None:  # B7
    expected = pair.padded.expected()
    ours, _ = measured(pair.padded, compat=False)
    row, frames = pair.row(), pair.alone.expected()["student.x"].size(1)
    long = int((~expected["frame_padding_mask"]).sum(1).argmax())
    assert error(ours["features.x"][row, :frames], expected["features.x"][row, :frames]) > 0.1
    assert error(ours["features.x"][long], expected["features.x"][long]) <= FORWARD
