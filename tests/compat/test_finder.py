"""`after_import`: now, later, or when a module in the middle of its import is done."""

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import List

import pytest

import data2vec_compat
from data2vec_compat.finder import Finder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("sample_"):
            del sys.modules[name]


def test_calls_at_once_for_what_is_imported() -> None:
    calls: List[int] = []
    data2vec_compat.after_import("json", lambda: calls.append(1))
    assert calls == [1]


def test_calls_once_after_the_import(folder: Path) -> None:
    (folder / "sample_later.py").write_text("value = 1\n")
    seen: List[int] = []
    data2vec_compat.after_import("sample_later", lambda: seen.append(sys.modules["sample_later"].value))
    assert seen == []
    module = importlib.import_module("sample_later")
    importlib.reload(module)
    assert seen == [1]


def test_waits_for_a_module_in_the_middle_of_its_import(folder: Path) -> None:
    """As when fairseq imports, at its end, what imports the plugin."""
    (folder / "sample_outer.py").write_text("import sample_inner\nfinished = True\n")
    (folder / "sample_inner.py").write_text(
        "import sys, data2vec_compat\n"
        "data2vec_compat.after_import('sample_outer', "
        "lambda: setattr(sys, '_sample', sys.modules['sample_outer'].finished))\n"
    )
    data2vec_compat.after_import("sample_outer", lambda: None)
    importlib.import_module("sample_outer")
    assert sys.__dict__.pop("_sample") is True


def test_serves_a_module_whose_import_began_before_the_finder(folder: Path) -> None:
    (folder / "sample_early.py").write_text("import sample_hook\nfinished = True\n")
    (folder / "sample_hook.py").write_text(
        "import sys\nsys._finder.after_import('sample_early', lambda: sys._calls.append(1))\n"
    )
    (folder / "sample_next.py").write_text("")
    sys._finder, sys._calls = Finder(None), []  # type: ignore[attr-defined]
    importlib.import_module("sample_early")
    sys._finder.find_spec("sample_next")  # type: ignore[attr-defined]
    assert sys._calls == [1]  # type: ignore[attr-defined]
    del sys._finder, sys._calls  # type: ignore[attr-defined]


def test_an_error_of_the_callback_fails_the_import(folder: Path) -> None:
    (folder / "sample_refused.py").write_text("")

    def refuse() -> None:
        raise ValueError("registered by somebody else")

    data2vec_compat.after_import("sample_refused", refuse)
    with pytest.raises(ValueError, match="somebody else"):
        importlib.import_module("sample_refused")


def test_a_failed_import_can_be_tried_again(folder: Path) -> None:
    path = folder / "sample_broken.py"
    path.write_text("raise RuntimeError('not yet')\n")
    calls: List[int] = []
    data2vec_compat.after_import("sample_broken", lambda: calls.append(1))
    with pytest.raises(RuntimeError, match="not yet"):
        importlib.import_module("sample_broken")
    assert calls == []
    path.write_text("repaired = True\n")
    importlib.invalidate_caches()
    importlib.import_module("sample_broken")
    assert calls == [1]


def test_leaves_the_loader_as_it_was(folder: Path) -> None:
    (folder / "sample_loader.py").write_text("")
    data2vec_compat.after_import("sample_loader", lambda: None)
    importlib.util.find_spec("sample_loader")  # looking is not importing
    module = importlib.import_module("sample_loader")
    assert "exec_module" not in vars(module.__loader__)
    assert type(module.__loader__).__name__ == "SourceFileLoader"
