"""What the Makefile installs with: pip's settings reach uv, and nothing moves torch."""

from __future__ import annotations

import importlib.util
import os
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import List

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "requirements" / "install.py"


PROGRAM = """#!/bin/sh
cd "$(dirname "$0")"
echo "$(basename "$0")" >> calls
echo "$UV_FIND_LINKS" > links
: > kept
while [ $# -gt 0 ]; do
    [ "$1" != -c ] || cat "$2" > kept
    [ "$1" != absent ] || exit 1
    shift
done
"""


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("install", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, with programs that write down how they were called instead of uv and pip."""
    module = script()
    for name in ("uv", "pip"):
        (tmp_path / name).write_text(PROGRAM)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(module, "UV", tmp_path / "uv")
    monkeypatch.setattr(module, "settings", dict)
    monkeypatch.setattr(module, "PIP", (str(tmp_path / "pip"),))
    return module


def calls(folder: Path) -> List[str]:
    return (folder / "calls").read_text().split()


def test_uv_installs_and_pip_what_uv_cannot(install: ModuleType, tmp_path: Path) -> None:
    assert install.main(["tqdm"]) == 0
    assert calls(tmp_path) == ["uv"]
    assert install.main(["absent"]) == 1
    assert calls(tmp_path) == ["uv", "uv", "pip"]
    (tmp_path / "uv").unlink()
    assert install.main(["tqdm"]) == 0
    assert calls(tmp_path)[-1] == "pip"


def test_pips_settings_reach_uv_or_pip_installs(
    install: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "settings", lambda: {"find-links": "/a\n/b"})
    assert install.main(["tqdm"]) == 0
    assert (tmp_path / "links").read_text() == "/a,/b\n"
    monkeypatch.setattr(install, "settings", lambda: {"extra-index-url": "https://b/simple"})
    assert install.main(["tqdm"]) == 0
    assert calls(tmp_path) == ["uv", "pip"]


def test_settings_of_the_environment_come_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = https://a/simple\nfind-links = /wheels\n")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("PIP_INDEX_URL", "https://b/simple")
    found = script().settings()
    assert (found["index-url"], found["find-links"]) == ("https://b/simple", "/wheels")


def test_torch_stays_unless_it_is_asked_for(install: ModuleType, tmp_path: Path) -> None:
    install.main(["tqdm"])
    assert f"torch=={metadata.version('torch')}" in (tmp_path / "kept").read_text().splitlines()
    install.main(["-r", "requirements/torch.txt"])
    assert not (tmp_path / "kept").read_text()
