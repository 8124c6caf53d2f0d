"""A file's digest is of its content, and computed once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from data2vec_plugin.files import content
from data2vec_plugin.files.content import content_digest


def test_the_same_content_has_the_same_digest_wherever_it_lies(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(b"x" * (3 * 2**22 + 5) + (b"c" if name == "c" else b""))
    known = tmp_path / "known.json"
    a, b, c = (content_digest(tmp_path / name, known) for name in ("a", "b", "c"))
    assert a == b != c


def test_it_is_not_computed_again_while_the_file_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("one")
    known = tmp_path / "kept" / "known.json"
    digest = content_digest(tmp_path / "a", known)
    monkeypatch.setattr(content.hashlib, "blake2b", lambda **_: pytest.fail("read again"))
    assert content_digest(tmp_path / "a", known) == digest


def test_size_and_time_do_not_hide_a_change(tmp_path: Path) -> None:
    path, known = tmp_path / "a", tmp_path / "known.json"
    path.write_text("one")
    before, digest = path.stat(), content_digest(path, known)
    path.write_text("two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert content_digest(path, known) != digest


@pytest.mark.parametrize("damage", ["", "[1]", '{"a": 3}', "{", '{"a": {"stamp": 1}}'])
def test_a_damaged_memory_is_made_anew(tmp_path: Path, damage: str) -> None:
    path, known = tmp_path / "a", tmp_path / "known.json"
    path.write_text("one")
    digest = content_digest(path, known)
    known.write_text(damage)
    assert content_digest(path, known) == digest
