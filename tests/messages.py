"""The messages in the code of the packages: string literals but for docstrings, a placeholder written as …"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Iterator, List, NamedTuple, Tuple

from sources import parsed

ROOT = Path(__file__).resolve().parents[1]
PLACEHOLDER = "…"


class Message(NamedTuple):
    """A literal, and where it begins."""

    path: str
    line: int
    text: str


def messages(*packages: str) -> List[Message]:
    """All literals of the packages' modules that hold more than a word."""
    paths = [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]
    return [message for path in paths for message in _of(path) if " " in message.text.strip()]


def _of(path: Path) -> Iterator[Message]:
    for line, text in literals(parsed(path)):
        yield Message(str(path.relative_to(ROOT)), line, text)


def literals(tree: ast.AST, placeholder: str = PLACEHOLDER) -> Iterator[Tuple[int, str]]:
    """Line and text of all string literals that are no statements, as docstrings are."""
    within = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    within |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, (ast.JoinedStr, ast.Constant)) and id(node) not in within:
            text = text_of(node, placeholder)
            if text:
                yield node.lineno, text


def text_of(node: ast.expr, placeholder: str = PLACEHOLDER) -> str:
    """A literal's text; adjacent ones are one for Python. Empty for what is no text."""
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part, placeholder) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return placeholder
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
