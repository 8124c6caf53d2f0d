"""Parses Python literals, which stock fairseq passes to `eval`, without running anything."""

import ast
import operator
from typing import Any, Callable, Dict, Tuple, Type, Union

MOST_CHARACTERS = 200_000
MOST_ITEMS = 100_000
"""Limit for one list; a configuration repeats short ones."""

Number = Union[int, float]

_ARITHMETIC: Dict[Type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}


def parse_literal(text: str) -> Any:
    """`"[(512, 10, 5)] + [(512, 3, 2)] * 4"`, `"(0.9, 0.98)"`, `"{'a': None}"` and similar, with the result of `eval`.

    Numbers, strings, True, False, None; lists, tuples, sets and dictionaries of these; numbers with + - * / //; lists
    and tuples joined with + and repeated with *.

    Raises:
        ValueError: the text contains anything else (a name or a call, for example), or more than a configuration needs.
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"{len(text):,} characters, more than {MOST_CHARACTERS:,}")
    try:
        return _value(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, TypeError, ArithmeticError, RecursionError, MemoryError) as error:
        raise ValueError(f"{str(error) or type(error).__name__}") from error


def _value(node: ast.AST) -> Any:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float, str, type(None))):
        return node.value
    if isinstance(node, ast.Tuple):
        return tuple(map(_value, node.elts))
    if isinstance(node, ast.List):
        return [*map(_value, node.elts)]
    if isinstance(node, ast.Set):
        return {*map(_value, node.elts)}
    if isinstance(node, ast.Dict) and None not in node.keys:
        return {_value(key): _value(value) for key, value in zip(node.keys, node.values) if key is not None}
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.UAdd, ast.USub)):
        return _signed(node.op, _value(node.operand))
    if isinstance(node, ast.BinOp):
        return _combined(node.op, _value(node.left), _value(node.right))
    raise ValueError(f"unexpected {type(node).__name__}")


def _signed(sign: ast.unaryop, value: Any) -> Number:
    if not _is_number(value):
        raise ValueError(f"unexpected {type(sign).__name__} of a {type(value).__name__}")
    return -value if isinstance(sign, ast.USub) else +value  # type: ignore[no-any-return]


def _combined(sign: ast.operator, left: Any, right: Any) -> Any:
    if _is_number(left) and _is_number(right) and type(sign) in _ARITHMETIC:
        return _ARITHMETIC[type(sign)](left, right)
    if isinstance(sign, ast.Add) and _is_sequence(left) and type(left) is type(right):
        return repeated(left + right, 1)
    if isinstance(sign, ast.Mult) and {_is_sequence(left), _is_sequence(right)} == {True, False}:
        items, times = (left, right) if _is_sequence(left) else (right, left)
        if isinstance(times, int):
            return repeated(items, times)
    raise ValueError(f"unexpected {type(sign).__name__} of {type(left).__name__} and {type(right).__name__}")


def repeated(items: Union["list[Any]", Tuple[Any, ...]], times: int, most: int = MOST_ITEMS) -> Any:
    """`items * times`; raises ValueError if the result is too long."""
    if len(items) * times > most:
        raise ValueError(f"more than {most:,} items")
    return items * times


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float))


def _is_sequence(value: Any) -> bool:
    return isinstance(value, (list, tuple))
