"""Documents, messages, docstrings, comments and names are in usual words; `tests/usual_words.py` lists the others."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Iterator, List

import pytest
import usual_words
from prose import passages
from sources import parsed

pytestmark = pytest.mark.source

ROOT = Path(__file__).resolve().parents[1]
CODE = ("data2vec_compat", "data2vec_plugin", "benchmarks", "examples", "docs")
KINDS = ("*.py", "*.md", "*.yaml")
LEFT_OUT = {"outputs", "site", "__pycache__"}


def files() -> List[Path]:
    found = [ROOT / "Makefile", *ROOT.glob("*.md")]
    for folder in (*CODE, "configs"):
        found += [path for kind in KINDS for path in (ROOT / folder).rglob(kind)]
    return sorted(path for path in found if not LEFT_OUT & set(path.relative_to(ROOT).parts))


ANY = re.compile(rf"\b(?:{'|'.join(usual_words.USUAL)})\b", re.IGNORECASE)


def unusual(text: str) -> Iterator[str]:
    """What is to be written otherwise in a sentence, with the usual words."""
    for pattern, usual in usual_words.USUAL.items() if ANY.search(text) else ():
        for found in re.finditer(rf"\b(?:{pattern})\b", text, re.IGNORECASE):
            around = text[max(0, found.start() - 30) : found.end() + 30]
            yield f"`{found[0]}` in “…{around}…”: {usual}"


def defined(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.arg)) or (
            isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Store)
        ):
            yield node


def unusual_names(path: Path) -> Iterator[str]:
    for node in defined(parsed(path)):
        name = next(getattr(node, field) for field in ("name", "arg", "attr", "id") if hasattr(node, field))
        if (path.relative_to(ROOT).as_posix(), name) in usual_words.KEPT_NAMES:
            continue
        for word, usual in usual_words.NAMES.items():
            if re.search(rf"(?:^|_){word}(?:_|$)", name):
                yield f"{path.relative_to(ROOT)}:{node.lineno}: `{name}`: {usual}"  # type: ignore[attr-defined]


def test_what_has_been_read_is_written_in_usual_words() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {fault}"
        for path in files()
        for line, text, _ in passages(path)
        for fault in unusual(text)
    ]
    assert not found, "\n".join(found)


def test_names_are_usual_words_too() -> None:
    found = [fault for path in files() if path.suffix == ".py" for fault in unusual_names(path)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("text", usual_words.REFUSED)
def test_private_words_are_found(text: str) -> None:
    assert list(unusual(text))


@pytest.mark.parametrize("text", usual_words.FINE)
def test_usual_senses_pass(text: str) -> None:
    assert not list(unusual(text))


def test_a_message_a_docstring_a_comment_and_a_name_are_read(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        '"""Mends a file."""\n\n\ndef mend(path: str) -> None:\n    # the file\n    # is mended\n'
        '    raise ValueError(f"cannot mend {path}: "\n                     "`mend` it")\n'
    )
    kinds = [(passage.line, passage.kind) for passage in passages(path) if list(unusual(passage.text))]
    assert sorted(kinds) == [(1, "docstring"), (5, "comment"), (7, "string")]
