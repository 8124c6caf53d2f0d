"""Compares the outputs of an ONNX file with torch's: at several lengths, and in a batch of all of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import List, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from ..checkpoints.exported import CTC
from ..recognition.onnx_session import run, session
from .contents import Contents

CLOSE = 1e-3
"""Tolerance between outputs, absolute and relative: features and log-probabilities are of the order of 1."""
LIKE = 0.9
"""The lowest acceptable mean cosine between the outputs in int8 and torch's."""


@dataclass(frozen=True)
class Agreement:
    """Difference between outputs and torch's: the largest and the mean difference, and similarity of frames.

    ``cosine`` is the mean over frames (of probabilities, for CTC); ``same`` is the share of frames with the same best
    symbol, for CTC only.
    """

    largest: float
    mean: float
    cosine: float
    same: float

    def summary(self, what: str) -> str:
        """One line for a message."""
        found = f"at most {self.largest:.2g}, {self.mean:.2g} on average; mean cosine {self.cosine:.4f}"
        return found + (f"; the same best symbol in {100 * self.same:.1f} % of frames" if what == CTC else "")


def agreement(contents: Contents, file: Path, int8: bool) -> Agreement:
    """Compare all of ``contents.tried``; raises ValueError if the file's outputs differ from torch's.

    In int8, outputs are not equal: they are compared by their cosine.
    """
    found = session(file)
    theirs: List[Tensor] = []
    ours: List[Tensor] = []
    for inputs in contents.tried:
        with torch.inference_mode():
            wanted = contents.graph(*inputs)
        given = [torch.from_numpy(each) for each in run(found, dict(zip(contents.inputs, inputs)))]
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        _check_shapes(given, wanted, inputs)
        counts = wanted[1].tolist() if len(wanted) > 1 else [wanted[0].size(1)] * len(wanted[0])
        for row, count in enumerate(counts):
            ours.append(wanted[0][row, :count])
            theirs.append(given[0][row, :count])
    compared = compare(torch.cat(theirs), torch.cat(ours), contents.facts.what)
    _check(compared, torch.cat(ours), int8, contents.facts.what)
    return compared


def compare(theirs: Tensor, ours: Tensor, what: str) -> Agreement:
    """Compare outputs (N, C) of frames with torch's."""
    apart = (theirs - ours).abs()
    left, right = (theirs.exp(), ours.exp()) if what == CTC else (theirs, ours)
    cosine = F.cosine_similarity(left.double(), right.double(), dim=-1).mean()
    same = (theirs.argmax(-1) == ours.argmax(-1)).double().mean()
    return Agreement(float(apart.max()), float(apart.mean()), float(cosine), float(same))


def _check_shapes(given: Sequence[Tensor], wanted: Sequence[Tensor], inputs: Sequence[Tensor]) -> None:
    shapes = [tuple(each.shape) for each in given], [tuple(each.shape) for each in wanted]
    counted = len(wanted) < 2 or bool(torch.equal(given[1], wanted[1]))
    if shapes[0] != shapes[1] or not counted:
        raise ValueError(
            f"the exported model gives outputs of {shapes[0]} for an input of {tuple(inputs[0].shape)}, torch of "
            f"{shapes[1]}, or other counts of frames; nothing was written: please report the versions of torch and onnx"
        )


def _check(found: Agreement, ours: Tensor, int8: bool, what: str) -> None:
    allowed = CLOSE * (1 + float(ours.abs().max()))
    if not int8 and not found.largest <= allowed:
        raise ValueError(
            f"the exported model differs from torch by {found.largest:.2g}, expected at most {allowed:.2g}; nothing "
            f"was written: please report the versions of torch, onnx and onnxruntime"
        )
    if int8 and not found.cosine >= LIKE:
        raise ValueError(
            f"in int8 this model's outputs differ too much from torch's ({found.summary(what)}; expected a cosine of "
            f"at least {LIKE}); nothing was written: export it without `--int8`"
        )
