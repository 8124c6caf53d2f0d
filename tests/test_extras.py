"""Extras: what they bring is what the code imports, and each is of use without the others."""

from __future__ import annotations

import ast
import re
import runpy
from functools import lru_cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Dict, Iterator, List, Set

import forks
import pytest
import setuptools
from sources import nodes

ROOT = Path(__file__).resolve().parent.parent
PLUGIN = ROOT / "data2vec_plugin"
MODULES = {
    "flashlight-text": "flashlight",
    "pillow": "PIL",
    "scikit-learn": "sklearn",
}
"""Of distributions whose module has another name than theirs with underscores."""
TORCH = {"torch", "torchaudio", "torchvision"}
HOST = {*TORCH, "fairseq", "fairseq_cli", "hydra", "numpy", "omegaconf", "rich", "tqdm", "yaml"}
"""What is there before an extra is asked for, or comes from torch's index only."""
FOR_FAIRSEQ = {"regex"}
"""Imported by fairseq when it cuts text by GPT-2's BPE."""
FAIRSEQ = Path(str(getattr(find_spec("fairseq"), "origin", "")))
FOR_MAIN = ["scikit-learn"] if FAIRSEQ.with_name("tasks").joinpath("audio_classification.py").exists() else []
"""Imported by all commands of fairseq's main branch."""
DEVELOPMENT = {"dev", "docs"}


def extras() -> Dict[str, List[str]]:
    """The extras that setup.py declares."""
    declared: Dict[str, Any] = {}
    stock, setuptools.setup = setuptools.setup, declared.update
    try:
        runpy.run_path(str(ROOT / "setup.py"))
    finally:
        setuptools.setup = stock
    found: Dict[str, List[str]] = declared["extras_require"]
    return found


EXTRAS = extras()


def modules_of(requirements: List[str]) -> Set[str]:
    """The modules that distributions bring."""
    names = (re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in requirements)
    return {MODULES.get(name, name.replace("-", "_")) for name in names}


CAPABILITIES = {
    name: modules_of(packages) for name, packages in EXTRAS.items() if name not in DEVELOPMENT and name != "all"
}


def all_modules_of(requirements: List[str]) -> Set[str]:
    """The modules that distributions bring, with those of the distributions that they need themselves."""
    found, waiting = set(requirements), list(requirements)
    while waiting:
        name = re.split(r"[^\w.-]", waiting.pop(), maxsplit=1)[0]
        try:
            needed = {line for line in metadata.requires(name) or [] if "extra ==" not in line}
        except metadata.PackageNotFoundError:
            continue
        waiting += needed - found
        found |= needed
    return modules_of(sorted(found))


@lru_cache(maxsize=1)
def all_imported() -> Set[str]:
    """What any module of ours imports."""
    return {name for path in PLUGIN.rglob("*.py") for name in imported(path)}


def imported(path: Path) -> Iterator[str]:
    """The packages that a module of ours imports, wherever it does: also by name, as `import_module` does."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module).partition(".")[0]
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("import_module", "find_spec"):
            yield from (str(each.value).partition(".")[0] for each in node.args if isinstance(each, ast.Constant))


def test_no_extra_names_torch() -> None:  # it would move the user's
    assert not modules_of([package for packages in EXTRAS.values() for package in packages]) & TORCH


def test_whatever_is_imported_comes_with_an_extra() -> None:
    optional = {name for names in CAPABILITIES.values() for name in names}
    ours = {"data2vec_plugin", "data2vec_compat"}
    outside = {name for name in all_imported() if not is_of_python(name)} - HOST - ours
    assert outside - optional == set()


def is_of_python(name: str) -> bool:
    """Whether a module comes with Python."""
    spec = find_spec(name) if name != "__main__" else None
    origin = getattr(spec, "origin", None)
    return spec is not None and (origin in (None, "built-in", "frozen") or "site-packages" not in str(origin))


def test_whatever_an_extra_brings_is_imported() -> None:
    brought = {name for names in CAPABILITIES.values() for name in names}
    assert brought - all_imported() - FOR_FAIRSEQ == set()


def test_all_is_all_but_what_old_torch_cannot_bear() -> None:
    every = {package for name in CAPABILITIES for package in EXTRAS[name] if name != "bert"}
    assert set(EXTRAS["all"]) == every


ALONE = {
    "audio": """
        import numpy, soundfile
        soundfile.write("a.wav", numpy.zeros(16_000, "float32"), 8_000)
        from data2vec_plugin.cli.main import main
        assert main(["manifest", ".", "--out", "data", "--valid-percent", "0", "--resample-to", "16000"]) == 0
        from data2vec_plugin.scoring.data2vec_asr import distance
        assert distance("ab", "ac") == 1
        """,
    "text": """
        open("t.txt", "w").write("\\n".join(f"the word {n} of these words" for n in range(200)))
        from data2vec_plugin.cli.main import main
        assert main(["subwords", "t.txt", "--size", "30", "--out", "sp"]) == 0
        from data2vec_plugin.criterions import glue_metrics
        """,
    "image": """
        from PIL import Image
        Image.new("RGB", (4, 6), "red").save("a.png")
        from data2vec_plugin.files.media.pictures import decode, read_picture
        assert decode(read_picture("a.png"), "a.png").size == (4, 6)
        """,
    "lm": """
        from data2vec_plugin.decoding.flashlight import flashlight_text
        assert flashlight_text()
        """,
    "vad": """
        import numpy
        from data2vec_plugin.recognition.pieces.voice_activity import VoiceActivity
        detector = VoiceActivity(16_000)
        assert detector.is_silent(detector.values(numpy.zeros(5_120, "float32"), True))
        """,
    "onnx": """
        from data2vec_plugin.export.to_onnx import to_onnx
        from data2vec_plugin.recognition.onnx_session import onnxruntime
        assert onnxruntime().get_available_providers()
        """,
    "multimodal": """
        from data2vec_plugin.multimodal import geometric
        geometric._geometric()
        import pytesseract
        """,
    "demo": """
        from data2vec_plugin.demo.app import imported_gradio
        assert imported_gradio().Blocks
        """,
    "huggingface": """
        import numpy
        from pathlib import Path
        from data2vec_plugin.features.store import open_store
        from data2vec_plugin.convert import folder
        open_store(Path("features"), [], "safetensors", False)
        """,
    "plots": """
        from data2vec_plugin.runs.drawing import matplotlib_pyplot
        matplotlib_pyplot().figure().savefig("a.png")
        """,
    "espeak": """
        from data2vec_plugin.corpora.espeak import Espeak
        assert Espeak().sample_rate > 0
        """,
    "bert": """
        from data2vec_plugin.models.meme_classifier import caption_readers, classic_encoders
        from transformers import BertModel
        """,
}


def test_each_extra_is_tried() -> None:
    assert set(ALONE) == set(CAPABILITIES)


@pytest.mark.parametrize("extra", ALONE)
def test_an_extra_is_of_use_without_the_others(extra: str, tmp_path: Path) -> None:
    mine = CAPABILITIES[extra]
    missing = [name for name in mine if find_spec(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    others = (
        {name for names in CAPABILITIES.values() for name in names}
        - all_modules_of(EXTRAS[extra] + FOR_MAIN)
        - FOR_FAIRSEQ
    )
    lines = "\n".join(line[8:] for line in ALONE[extra].splitlines())
    code = f"import sys\nsys.modules.update(dict.fromkeys({sorted(others)}))\nimport data2vec_plugin\n{lines}"
    done = forks.python(["-W", "ignore", "-c", code], imported="torch", cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
