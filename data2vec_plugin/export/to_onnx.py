"""Export a checkpoint to one ONNX file: traced, described, quantised if requested, and checked before it is written."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import metadata
from inspect import signature
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

import torch

from ..checkpoints.exported import Exported
from ..files.opening import said_size
from ..files.writing import replacing
from ..recognition.onnx_session import onnxruntime
from .agreement import Agreement, agreement
from .contents import Contents, contents

OPSET = 17
"""The opset of ONNX 1.12 (2022), the first with layer norms: every onnxruntime from 1.13 on reads it."""
LOWEST, HIGHEST = 17, 20
"""Opsets that the exporters of all supported torch releases write without translation."""
MOST_BYTES = 2**31 - 2**20
"""The size limit of a protocol buffer, 2 GiB."""
MADE_BY = ("data2vec-fairseq", "torch", "onnx", "onnxruntime")
MISSING = "export requires the packages onnx and onnxruntime: pip install 'data2vec-fairseq[onnx]'"


@dataclass(frozen=True)
class Export:
    """What to export, and how. ``what``: ctc or encoder; None: the recogniser if the checkpoint is one."""

    checkpoint: Path
    out: Path
    what: Optional[str] = None
    int8: bool = False
    opset: int = OPSET
    dictionary: Optional[Path] = None
    modality: Optional[str] = None


def to_onnx(job: Export) -> List[str]:
    """Write the file; returns lines that describe it.

    Raises:
        ValueError: a package is missing, the checkpoint cannot be exported this way, or the file's outputs differ from
            torch's; nothing is written then.
    """
    check(job)
    found = contents(job.checkpoint, job.what, job.dictionary, job.modality)
    graph = found.graph.eval()
    size = sum(each.numel() * each.element_size() for each in [*graph.parameters(), *graph.buffers()])
    if size > MOST_BYTES:
        raise ValueError(f"the model has {said_size(size)} of weights; an ONNX file holds less than 2 GB")
    facts = replace(found.facts, precision="int8" if job.int8 else "float32", versions=versions())
    with replacing(job.out) as part:
        trace(found, part, job.opset)
        if job.int8:
            to_int8(part)
        describe(part, facts)
        compared = agreement(found, part, job.int8)
        written = part.stat().st_size
    return lines(job, facts, compared, written)


def check(job: Export) -> None:
    """Raise ValueError for a job that is known to fail."""
    onnxruntime()
    try:
        import onnx
    except ImportError as error:
        raise ValueError(MISSING) from error
    newest = min(HIGHEST, onnx.defs.onnx_opset_version())
    if not LOWEST <= job.opset <= newest:
        raise ValueError(f"`--opset` is {job.opset}; expected {LOWEST} to {newest} ({OPSET} is the most portable)")
    if job.out.is_dir():
        raise ValueError(f"`--out`: {job.out} is a folder; expected the name of a file, such as model.onnx")


def trace(found: Contents, path: Path, opset: int) -> None:
    """Write the graph with dynamic batch and length."""
    *_, batch = found.tried
    axes: Dict[str, Dict[int, str]] = {name: {0: "batch"} for name in [*found.inputs, *found.outputs]}
    if len(found.inputs) > 1:
        axes[found.inputs[0]][1] = "samples" if found.facts.modality == "speech" else "tokens"
        axes[found.outputs[0]][1] = "frames"
    options: Dict[str, Any] = {"input_names": found.inputs, "output_names": found.outputs, "dynamic_axes": axes}
    if "dynamo" in signature(torch.onnx.export).parameters:
        options["dynamo"] = False  # by tracing, which requires no further package and is available in every release
    try:
        with quiet(), torch.no_grad():
            torch.onnx.export(found.graph, batch, str(path), opset_version=opset, **options)
    except (ValueError, torch.onnx.errors.OnnxExporterError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"torch {torch.__version__} cannot export this at `--opset` {opset}: {reason}") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what the exporter and the quantiser log about every shape and matrix."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def to_int8(path: Path) -> None:
    """Quantise the weights of matrix products to int8, per channel; activations are quantised dynamically.

    Convolutions stay in fp32, in which onnxruntime computes them faster. Seven of the eight bits are used: products of
    eight bits overflow silently on processors without VNNI.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with replacing(path) as part, quiet():
        quantize_dynamic(
            path,
            part,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            op_types_to_quantize=["MatMul"],
        )


def describe(path: Path, facts: Exported) -> None:
    """Write the metadata into a file."""
    import onnx

    model = onnx.load(str(path))
    model.producer_name, model.producer_version = "data2vec-fairseq", version_of("data2vec-fairseq")
    del model.metadata_props[:]
    for key, value in facts.metadata().items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.save(model, str(path))


def versions() -> str:
    """Versions of the packages that write the file."""
    return ", ".join(f"{name} {version_of(name)}" for name in MADE_BY)


def version_of(name: str) -> str:
    """The version of a package; "unknown" if it runs from its sources."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "unknown"


def lines(job: Export, facts: Exported, compared: Agreement, size: int) -> List[str]:
    """Lines that describe the file."""
    what = f"recogniser, {len(facts.symbols)} symbols" if facts.symbols else f"encoder of {facts.modality}"
    audio = f"; audio of {facts.sample_rate:,} Hz, {'' if facts.normalize else 'not '}normalised"
    return [
        f"{job.out}: {what}, {facts.precision}, opset {job.opset}, {said_size(size)}"
        + (audio if facts.modality == "speech" else ""),
        f"differs from torch by {compared.summary(facts.what)}",
    ]
