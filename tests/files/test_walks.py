"""Nothing but `files/` walks folders that people hand us, or opens their audio, pictures and archives."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Dict, Iterator

import pytest
from sources import nodes

pytestmark = pytest.mark.source

PACKAGE = Path(__file__).resolve().parents[2] / "data2vec_plugin"
WALKS = {"rglob", "walk", "fwalk", "scandir", "glob", "iglob", "iterdir", "listdir"}
OPENERS = {
    ("Image", "open"),
    ("tarfile", "open"),
    ("soundfile", "read"),
    ("soundfile", "info"),
    ("soundfile", "blocks"),
}
OPENERS |= {("soundfile", "SoundFile"), ("tarfile", "TarFile"), ("sf", "read"), ("sf", "info"), ("sf", "SoundFile")}
OURS: Dict[str, str] = {
    "checkpoints/summary.py": "a folder of Hugging Face's that was named, of which sizes are added up",
    "convert/folder.py": "whether the folder that is written to is empty",
    "features/store.py": "the parts of a matrix that this command writes",
    "glue/files.py": "the names in a folder of GLUE's, for a message",
    "glue/prepare.py": "folders that `glue prepare` writes",
    "glue/scores.py": "runs that `glue run` has written",
    "corpora/labelling.py": "manifests in a folder that was named",
    "host/checkpoints/resuming.py": "the run's own checkpoints",
    "host/checkpoints/saving.py": "the run's own checkpoints",
    "corpora/sentence_files.py": "whether the folder that is written to holds anything else",
}
"""Folders that we write, or of which a name or two is asked: no tree of somebody's."""


def calls(path: Path) -> Iterator[str]:
    """Walks and openers that a file calls."""
    for node in nodes(path):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
        if (node.func.attr in WALKS and owner != "ast") or (owner, node.func.attr) in OPENERS:
            yield f"{owner}.{node.func.attr}"


SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if path.parts[len(PACKAGE.parts)] != "files")


def test_nothing_else_walks_or_opens() -> None:
    found = {str(path.relative_to(PACKAGE)): list(calls(path)) for path in SOURCES}
    others = {name: made for name, made in found.items() if made and name not in OURS}
    assert not others, "walk by files/folders.py; open by files/media/audio.py, pictures.py, tar_index.py"
    assert {name for name, made in found.items() if made} == set(OURS), "an exception that is none any more"


def test_walks_and_openers_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text("import os, soundfile\nos.walk('.')\nsoundfile.read('a')\nPath('.').rglob('*')\nast.walk(tree)\n")
    assert sorted(calls(path)) == [".rglob", "os.walk", "soundfile.read"]
