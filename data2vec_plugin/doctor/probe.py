"""Imports what training needs, as fairseq's own commands do, and prints what happened.

`data2vec doctor` runs this file in a separate process: a broken package, even one
that exits the interpreter, is then one line of the report. Standard library only; the
plugin is imported last, as in fairseq's commands.
"""

import json
import sys
import time
from importlib import import_module, metadata
from typing import Any, Dict, Optional

# distributions by import name
PACKAGES = {
    "torch": "torch",
    "torchaudio": "torchaudio",
    "torchvision": "torchvision",
    "numpy": "numpy",
    "omegaconf": "omegaconf",
    "hydra": "hydra-core",
    "soundfile": "soundfile",
    "soxr": "soxr",
    "editdistance": "editdistance",
    "flashlight.lib.text.decoder": "flashlight-text",
    "PIL": "pillow",
}
EXTENSIONS = ("fairseq.data.data_utils_fast", "fairseq.data.token_block_utils_fast")


def version_of(distribution: str) -> Optional[str]:
    """The installed version, None if it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def attempt(module: str) -> Optional[str]:
    """Imports a module; returns the error in one line, None if it works."""
    try:
        import_module(module)
    except BaseException as error:  # a package may call sys.exit while it is imported
        first = (str(error).strip().splitlines() or [""])[0]
        return f"{type(error).__name__}: {first}"
    return None


def probe_package(module: str) -> Dict[str, Any]:
    """Version and import error of one package."""
    found = version_of(PACKAGES[module])
    return {"version": found, "error": attempt(module) if found else None}


def probe_gpus() -> Dict[str, Any]:
    """Names of the GPUs that torch can use."""
    torch = sys.modules.get("torch")
    if torch is None:
        return {"names": [], "cuda": None}
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    names = [torch.cuda.get_device_name(index) for index in range(count)]
    return {"names": names, "cuda": torch.version.cuda}


def probe_fairseq() -> Dict[str, Any]:
    """Imports what `fairseq-hydra-train` imports before any plugin."""
    found: Dict[str, Any] = {"version": version_of("fairseq")}
    started = time.perf_counter()
    found["error"] = attempt("fairseq_cli.hydra_train")
    found["seconds"] = round(time.perf_counter() - started, 1)
    if found["error"] is None:
        utils = import_module("fairseq.utils")
        # a helper that the release on PyPI does not have
        found["flavour"] = "main checkout" if hasattr(utils, "hotreload_function") else "release"
        found["path"] = next(iter(import_module("fairseq").__path__))
        found["extensions"] = {name: attempt(name) for name in EXTENSIONS}
    return found


def probe_shim() -> Dict[str, Any]:
    """Whether the patches were active before the plugin was imported, and what they did."""
    compat = sys.modules.get("data2vec_compat")
    if compat is None:
        return {"active": "", "patches": []}
    return {"active": compat.started_by(), "patches": compat.report()}


def main() -> None:
    """Prints one line of JSON, the last of the output."""
    result: Dict[str, Any] = {"packages": {name: probe_package(name) for name in PACKAGES}}
    result["gpus"] = probe_gpus()
    result["fairseq"] = probe_fairseq()
    result["shim"] = probe_shim()
    result["plugin"] = {"error": attempt("data2vec_plugin")}
    print(json.dumps(result))


if __name__ == "__main__":
    sys.path.pop(0)  # this folder's own modules have very common names
    main()
