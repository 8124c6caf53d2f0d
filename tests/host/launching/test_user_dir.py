"""`user_dir`: a package's name, a folder, or a second copy of the plugin."""

import logging
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any, Iterator

import pytest

utils = pytest.importorskip("fairseq.utils")


def go(user_dir: str) -> None:
    utils.import_user_module(Namespace(user_dir=user_dir))


def package(folder: Path, name: str, init: str = "") -> Path:
    path = folder / name
    path.mkdir(parents=True)
    (path / "__init__.py").write_text(init)
    return path


@pytest.fixture(autouse=True)
def _leave_no_trace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in [name for name in sys.modules if name.startswith("sample_")]:
        del sys.modules[name]


def test_name_of_the_installed_plugin_from_anywhere() -> None:
    go("data2vec_plugin")
    go("data2vec_plugin")
    assert "data2vec_plugin" in sys.modules


def test_name_of_any_package_registers_its_tasks(tmp_path: Path) -> None:
    from fairseq.tasks import TASK_REGISTRY

    tasks = package(package(tmp_path / "lib", "sample_user"), "tasks")
    (tasks / "one.py").write_text(
        "from fairseq.tasks import LegacyFairseqTask, register_task\n"
        "@register_task('sample_task')\nclass SampleTask(LegacyFairseqTask):\n    pass\n"
    )
    sys.path.append(str(tmp_path / "lib"))
    go("sample_user")
    assert "sample_task" in TASK_REGISTRY


def test_second_copy_of_the_plugin_gives_way(tmp_path: Path, caplog: Any) -> None:
    import data2vec_plugin

    copy = package(tmp_path, "data2vec_plugin", "raise RuntimeError('the wrong copy')\n")
    with caplog.at_level(logging.INFO):
        go(str(copy))
    loaded = data2vec_plugin.__path__[0]
    assert f"user_dir={copy}: data2vec_plugin is already loaded from {loaded}" in caplog.text


def test_folder_comes_before_name(run_python: Any, tmp_path: Path) -> None:
    package(tmp_path, "data2vec_plugin", "print('the folder')\n")
    code = "from fairseq import utils; from argparse import Namespace as N;"
    done = run_python(code + "utils.import_user_module(N(user_dir='data2vec_plugin'))", imported="torch")
    assert done.stdout == "the folder\n"


def test_other_packages_are_told_apart_as_ever(tmp_path: Path) -> None:
    go(str(package(tmp_path / "a", "sample_twice")))
    with pytest.raises(ImportError, match="not globally unique"):
        go(str(package(tmp_path / "b", "sample_twice")))


@pytest.mark.parametrize("name", ["no_such_package", "no/such/folder", "json.tool"])
def test_neither_folder_nor_package(name: str) -> None:
    with pytest.raises(FileNotFoundError):
        go(name)


def test_no_user_dir() -> None:
    utils.import_user_module(Namespace(user_dir=None))
    utils.import_user_module(Namespace())
