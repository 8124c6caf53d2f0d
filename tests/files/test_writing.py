"""Files are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

from data2vec_plugin.files.writing import replace_durably


def test_a_part_takes_its_place(tmp_path: Path) -> None:
    (tmp_path / "part").write_text("new")
    (tmp_path / "file").write_text("old")
    replace_durably(tmp_path / "part", tmp_path / "file")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "new")]
