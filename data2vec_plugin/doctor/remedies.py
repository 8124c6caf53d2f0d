"""The command that fixes each problem `data2vec doctor` may find."""

import os
import re
import sys
from typing import Optional, Tuple

DEPENDENCIES = '"hydra-core>=1.3,<1.4" "omegaconf>=2.3,<2.4" cffi cython regex "sacrebleu>=1.4.12" tqdm bitarray numpy'
INSTALL_FAIRSEQ = f"pip install {DEPENDENCIES} && pip install --no-deps fairseq==0.12.2"
BUILD_FAIRSEQ = "pip install --no-deps --force-reinstall --no-cache-dir fairseq==0.12.2  (needs a C++ compiler)"
INSTALL_PLUGIN = "pip install '.[audio]'  (in the checkout of data2vec for fairseq)"
TURN_ON = "unset DATA2VEC_COMPAT"
REINSTALL_TORCH = "pip install --force-reinstall torch"
FREE = {"torchaudio": ((2, 13), "2.11.1"), "torchvision": ((2, 14), "0.29.1")}
"""The first torch from which on a release of torchaudio works with that torch and all later ones. torchaudio itself
states torch 2.11, but it does not load with 2.11 or 2.12, whose C++ library lacks functions that it needs. It is built
for CUDA, and does not load with a torch that is not."""
LAST_OWN_TORCHAUDIO = (2, 11)

LAST_PYTHON_OF_FLASHLIGHT = (3, 12)
"""flashlight-text 0.0.7 has wheels up to this one."""

_DISTRIBUTIONS = {"hydra": "hydra-core", "Cython": "cython", "sklearn": "scikit-learn", "PIL": "pillow"}


def for_package(name: str, torch: Optional[str]) -> str:
    """The command that fixes a package without changing the installed torch."""
    if name in ("torchaudio", "torchvision"):
        return _matching_torch(name, torch)
    if name in ("hydra", "omegaconf"):
        return 'pip install "hydra-core>=1.3,<1.4" "omegaconf>=2.3,<2.4"'
    return f"pip install {_DISTRIBUTIONS.get(name, name)}"


def for_beam_search() -> str:
    """How to make beam search work on this Python."""
    if sys.version_info[:2] > LAST_PYTHON_OF_FLASHLIGHT:
        own, last = (".".join(map(str, each)) for each in (sys.version_info[:2], LAST_PYTHON_OF_FLASHLIGHT))
        return f"flashlight-text has no wheel for Python {own}; use Python 3.9 to {last}, or decode greedily"
    return "pip install flashlight-text"


def is_turned_off() -> bool:
    """Whether the environment turns the patches off; then fairseq may fail to import, whatever is installed."""
    return os.environ.get("DATA2VEC_COMPAT", "1").lower() in ("0", "off", "false", "no")


def for_import_error(error: str) -> str:
    """The command for a fairseq that is installed but fails to import."""
    missing = re.search(r"No module named '(\w+)", error)
    if missing and missing.group(1) not in ("fairseq", "fairseq_cli"):
        name = missing.group(1)
        return f"pip install {_DISTRIBUTIONS.get(name, name)}"
    if is_turned_off():
        return TURN_ON
    if "mutable default" in error:
        return INSTALL_PLUGIN
    if sys.version_info >= (3, 12) and ("find_module" in error or "typing.io" in error):
        return for_package("hydra", None)  # hydra 1.0 ends with Python 3.11
    return INSTALL_FAIRSEQ


def _matching_torch(name: str, torch: Optional[str]) -> str:
    version = _release(torch)
    if version is None:
        return f"pip install torch {name}"
    major, minor, patch = version
    without_cuda = str(torch).endswith("+cpu") and (major, minor) >= FREE[name][0]
    if name == "torchaudio" and (without_cuda or LAST_OWN_TORCHAUDIO < (major, minor) < FREE[name][0]):
        return f"pip uninstall torchaudio  (none loads with torch {torch}, and this plugin does not need it)"
    # without the build: pip's version of a wheel may lack `+cu130`, and `==2.11.0` accepts 2.11.0+cu130
    kept = f"torch=={str(torch).partition('+')[0]}"
    first, free = FREE[name]
    if (major, minor) >= first:
        return f'pip install {kept} "{name}>={free}"'
    # torchvision has version 0.15 for torch 2.0; torchaudio has torch's own version
    matching = f"0.{minor + 15}.{patch}" if name == "torchvision" else f"{major}.{minor}.{patch}"
    return f"pip install {kept} {name}=={matching}"


def _release(version: Optional[str]) -> Optional[Tuple[int, int, int]]:
    found = re.match(r"(2)\.(\d+)\.(\d+)", version or "")
    return None if found is None else (int(found[1]), int(found[2]), int(found[3]))
