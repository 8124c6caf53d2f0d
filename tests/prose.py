"""The prose of a source file: docstrings, comments and strings of Python; paragraphs of Markdown; comments of YAML."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path
from typing import Dict, Iterator, NamedTuple, Tuple

from messages import literals

FENCE = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)
"""A block of code in Markdown."""

CODE = re.compile(r"``.+?``|`[^`]+`|\]\([^)]*\)|:\w+:|https?://\S+")
"""Names, commands and links within a sentence, which are not prose."""


class Passage(NamedTuple):
    line: int
    text: str
    kind: str
    """docstring, comment, string or document"""


def passages(path: Path) -> Iterator[Passage]:
    """The passages of a file, each in one line, code between backticks replaced by a single backtick pair."""
    text = path.read_text("utf-8")
    found = {".py": _python, ".md": _markdown}.get(path.suffix, _comments_of_other_files)(text)
    for line, passage, kind in found:
        yield Passage(line, CODE.sub("``", " ".join(passage.split())), kind)


def _python(text: str) -> Iterator[Tuple[int, str, str]]:
    tree = ast.parse(text)
    for first, described in _docstrings(tree):
        for line, paragraph in _paragraphs(described):
            yield first + line, paragraph, "docstring"
    for line, literal in literals(tree, placeholder="``"):
        if " " in literal.strip() or "``" in literal:
            yield line, literal, "string"
    yield from _joined(_python_comments(text))


def _docstrings(tree: ast.AST) -> Iterator[Tuple[int, str]]:
    """Strings that are statements: docstrings of modules, classes, functions, and of what is assigned above."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


def _paragraphs(text: str) -> Iterator[Tuple[int, str]]:
    line = 0
    for paragraph in re.split(r"(\n\s*\n)", text):
        if paragraph.strip():
            yield line, paragraph
        line += paragraph.count("\n")


def _python_comments(text: str) -> Dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {token.start[0]: token.string.lstrip("#: ") for token in tokens if token.type == tokenize.COMMENT}


def _joined(comments: Dict[int, str]) -> Iterator[Tuple[int, str, str]]:
    """Comments on successive lines are one passage."""
    start = previous = -1
    for line in sorted(comments):
        if line != previous + 1:
            if start > 0:
                yield start, " ".join(comments[each] for each in range(start, previous + 1)), "comment"
            start = line
        previous = line
    if start > 0:
        yield start, " ".join(comments[each] for each in range(start, previous + 1)), "comment"


def _markdown(text: str) -> Iterator[Tuple[int, str, str]]:
    without_code = FENCE.sub(lambda found: "\n" * found[0].count("\n"), text)
    for line, paragraph in _paragraphs(without_code):
        yield line + 1, paragraph, "document"


def _comments_of_other_files(text: str) -> Iterator[Tuple[int, str, str]]:
    lines = enumerate(text.splitlines(), 1)
    marked = {number: re.search(r"(?:^|\s)#+ ?(.*)$|\becho (.*)", line) for number, line in lines}
    yield from _joined({number: found[1] or found[2] or "" for number, found in marked.items() if found})
