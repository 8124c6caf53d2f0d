"""The matrix notices when installing the plugin moves what a row is about, in environments that it has kept as well."""

from __future__ import annotations

from pathlib import Path
from typing import Set

import pytest
from hosts import matrix

ROW = matrix.HOSTS[1]


@pytest.mark.parametrize(
    ("held", "moved"),
    [
        ("torch==2.8.0", "torch==2.9.0"),
        ("fairseq @ file:///src", "fairseq==0.12.2"),
        ("hydra_core==1.3.8", "hydra_core==1.0.7"),
    ],
)
def test_an_extra_that_moves_what_is_held_ends_the_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: str, moved: str
) -> None:
    installed = kept_environment(tmp_path, monkeypatch, {held, "numpy==2.0.0"}, {moved, "numpy==2.0.1"})
    with pytest.raises(SystemExit, match=rf"^3\.9: installing the plugin moved {held}$"):
        matrix.prepare(ROW, "python", None)
    assert installed == {moved, "numpy==2.0.1"}


def test_an_extra_may_move_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept_environment(tmp_path, monkeypatch, {"torch==2.8.0", "pytest==8.0"}, {"torch==2.8.0", "pytest==8.1"})
    assert matrix.prepare(ROW, "python", None) == tmp_path / "3.9" / "bin" / "python"


def kept_environment(folder: Path, monkeypatch: pytest.MonkeyPatch, before: Set[str], after: Set[str]) -> Set[str]:
    """A row's environment that is there already; pip makes what is installed `after` out of `before`."""
    (folder / "3.9").mkdir()
    (folder / "3.9" / ".ready").touch()
    installed = set(before)

    def pip(python: Path, *words: str) -> None:
        installed.clear()
        installed.update(after)

    monkeypatch.setattr(matrix, "FOLDER", folder)
    monkeypatch.setattr(matrix, "pip", pip)
    monkeypatch.setattr(matrix, "freeze", lambda python: set(installed))
    return installed
