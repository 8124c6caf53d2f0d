"""What people hand us is opened in files/, and nowhere else."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Iterator

import pytest
from sources import nodes

pytestmark = pytest.mark.source

PACKAGE = Path(__file__).resolve().parents[2] / "data2vec_plugin"
SOURCES = [path for path in sorted(PACKAGE.rglob("*.py")) if "files" not in path.relative_to(PACKAGE).parts]

# folders and modules that read what we or fairseq have written, or bytes that are no text, and in what
ALLOWED = {
    "checkpoints/summary.py",  # a checkpoint, as its bytes
    "core/kernels/products.py",  # what the system says of its processor
    "features/index.py",  # our own index, which it writes on
    "features/settings.py",  # our own settings
    "features/store.py",  # features
    "glue/launch.py",  # logs of runs
    "host/checkpoints/damage.py",  # members of a checkpoint, by their checksums
    "glue/runs.py",  # logs and settings of runs
    "runs",  # logs of runs
}


def readings(path: Path) -> Iterator[str]:
    """Names of calls in a file that open files to read them, and imports of what reads tables."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (f"line {node.lineno}: import csv" for alias in node.names if alias.name == "csv")
        if isinstance(node, ast.ImportFrom) and node.module == "csv":
            yield f"line {node.lineno}: from csv"
        if not isinstance(node, ast.Call) or is_for_writing(node):
            continue
        called = ast.unparse(node.func)
        ending = called.rpartition(".")[2]
        if called.endswith("Dictionary.load") or (ending in ("open", "read_text", "read_bytes") and ours(called)):
            yield f"line {node.lineno}: {called}"


def ours(called: str) -> bool:
    """Whether a call is Python's own; ``read_text(path)`` and ``read_bytes(path)`` alone are those of files/."""
    return called == "open" or "." in called


def is_for_writing(call: ast.Call) -> bool:
    arguments = [*call.args, *(word.value for word in call.keywords)]
    modes = [each.value for each in arguments if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    return any(set(mode) <= set("wabx+") and set(mode) & set("wax") for mode in modes)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_of_users_are_opened_in_one_room(path: Path) -> None:
    own = path.relative_to(PACKAGE)
    if ALLOWED.isdisjoint({str(own), *map(str, own.parents)}):
        assert not list(readings(path))


def test_the_test_sees_what_it_forbids(tmp_path: Path) -> None:
    lines = [
        "import csv",
        "from csv import reader",
        "Dictionary.load(p)",
        "data.Dictionary.load(p)",
        "open(p)",
        "p.open('rb')",
        "p.read_text()",
        "p.read_bytes()",
    ]
    (tmp_path / "a.py").write_text("\n".join([*lines, "open(p, 'wb')", "p.open('a')", "read_text(p)"]))
    assert len(list(readings(tmp_path / "a.py"))) == len(lines)


def test_only_commands_know_commands() -> None:
    users = [
        str(path.relative_to(PACKAGE))
        for path in sorted((PACKAGE / "corpora").rglob("*.py"))
        for node in nodes(path)
        if isinstance(node, (ast.ImportFrom, ast.Import)) and "cli" in ast.unparse(node).split()[1].split(".")
    ]
    assert not users
