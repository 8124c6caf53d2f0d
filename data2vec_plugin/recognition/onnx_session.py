"""Opens sessions of onnxruntime, with as many threads as torch uses."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List, Mapping, Optional

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..files.unusable import UnusableFileError

MISSING = "ONNX files require onnxruntime, which is not installed: pip install 'data2vec-fairseq[onnx]'"
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


def onnxruntime() -> Any:
    """The package; raises ValueError with what to install if it is missing."""
    try:
        import onnxruntime as package
    except ImportError as error:
        raise ValueError(MISSING) from error
    return package


def session(path: Path, device: Optional[str] = None) -> Any:
    """A session for a model, on the CPU unless ``device`` says cuda.

    It uses torch's number of threads (`OMP_NUM_THREADS`): by default onnxruntime would use all cores of the machine,
    whatever the process was given. Raises ValueError for a file that it cannot run, or a device that is not available.
    """
    package = onnxruntime()
    options = package.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    providers = _providers(package, device)
    try:
        return package.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # onnxruntime's own, a class for each status
        reason = " ".join(str(error).split())[:300]
        raise UnusableFileError.of(
            path, f"onnxruntime {package.__version__} cannot run it: {reason}; update onnxruntime, or export again"
        ) from error


def _providers(package: Any, device: Optional[str]) -> List[Any]:
    kind, _, number = (device or "cpu").partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdigit()):
        raise ValueError(f"`--device` is {device}; expected cpu, cuda or cuda:N")
    if kind == "cpu":
        return [CPU]
    if CUDA not in package.get_available_providers():
        raise ValueError(
            f"`--device` is {device}, but this onnxruntime has no CUDA support: pip install onnxruntime-gpu"
        )
    return [(CUDA, {"device_id": int(number or 0)}), CPU]


def run(model: Any, inputs: Mapping[str, Tensor]) -> List[NDArray[np.generic]]:
    """The outputs of a session for inputs by name."""
    given = {name: np.ascontiguousarray(value.numpy()) for name, value in inputs.items()}
    outputs: List[NDArray[np.generic]] = model.run(None, given)
    return outputs
