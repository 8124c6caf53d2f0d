"""Parts of our code by name, wherever they are, and a change to one of them.

A part is a module, a class, a function, a method, or a name that a module assigns. It is called by as much of the end
of its dotted name as tells it apart, such as `Teacher.follow` or `audio_v1.TEACHER`: code may move to another file.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from textwrap import indent

from sources import parsed

PACKAGES = ("data2vec_plugin", "data2vec_compat")
Definition = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Part:
    """A part, its dotted name, and the file that it stands in."""

    name: str
    path: Path
    node: ast.AST


@lru_cache(maxsize=4)
def parts(root: Path) -> tuple[Part, ...]:
    """All parts of the packages below `root`, which are read once."""
    return tuple(_in_packages(root))


def _in_packages(root: Path) -> Iterator[Part]:
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            module = ".".join(path.relative_to(root).with_suffix("").parts)
            tree = parsed(path)
            yield Part(module, path, tree)
            yield from _inside(tree, module, path)


def _inside(node: ast.AST, name: str, path: Path) -> Iterator[Part]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Definition):
            yield Part(f"{name}.{child.name}", path, child)
            yield from _inside(child, f"{name}.{child.name}", path)
        elif isinstance(child, (ast.Assign, ast.AnnAssign)) and isinstance(node, ast.Module):
            targets = child.targets if isinstance(child, ast.Assign) else [child.target]
            yield from (Part(f"{name}.{each.id}", path, child) for each in targets if isinstance(each, ast.Name))
        else:
            yield from _inside(child, name, path)


def find(root: Path, name: str) -> Part:
    """The part of this name; raises ValueError unless there is exactly one."""
    found = [part for part in parts(root) if f".{part.name}".endswith(f".{name}")]
    if len(found) != 1:
        where = ", ".join(part.name for part in found) or "nothing of that name"
        raise ValueError(f"`{name}` is {where}; expected one part: say in tests/faults what it is called now")
    return found[0]


def changed(part: Part, ours: str, theirs: str) -> str:
    """The text of the part's file with the only `ours` in the part made `theirs`.

    Both are an expression, or a statement; how the code is laid out, quoted or commented does not matter to `ours`.

    Raises:
        ValueError: the part does not hold it exactly once.
    """
    wanted = _parsed(ours)
    kind, wanted_dump = type(wanted), ast.dump(wanted)
    nodes = [each for each in ast.walk(part.node) if isinstance(each, kind) and ast.dump(each) == wanted_dump]
    if len(nodes) != 1:
        raise ValueError(f"`{part.name}` holds `{ours}` {len(nodes)} times, expected once")
    (node,) = nodes
    lines = part.path.read_bytes().splitlines(keepends=True)
    begin, end = node.lineno - 1, node.end_lineno - 1  # columns count bytes
    before, after = lines[begin][: node.col_offset], lines[end][node.end_col_offset :]
    new = indent(theirs, " " * node.col_offset).strip() if isinstance(node, ast.stmt) else f"({theirs})"
    text = b"".join([*lines[:begin], before, new.encode(), after, *lines[end + 1 :]]).decode()
    ast.parse(text)
    return text


def _parsed(code: str) -> ast.expr | ast.stmt:
    """One expression or statement."""
    (statement,) = ast.parse(code).body
    return statement.value if isinstance(statement, ast.Expr) else statement
