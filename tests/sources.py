"""The syntax trees of source files, parsed and flattened once for all tests that read them."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Tuple


@cache
def parsed(path: Path) -> ast.Module:
    """The tree of a file; nobody may change it."""
    return ast.parse(path.read_text("utf-8"))


@cache
def nodes(path: Path) -> Tuple[ast.AST, ...]:
    """All nodes of a file, in the order of :func:`ast.walk`."""
    return tuple(ast.walk(parsed(path)))
