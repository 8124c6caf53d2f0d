"""Rename tables between our names and Hugging Face's: explicit pairs, one per parameter, checked in both directions.

A pattern is a parameter's name in which ``{}`` stands for a number, such as a layer's.
"""

from __future__ import annotations

import re
from typing import Dict, Iterable, Iterator, List, Mapping, Sequence, Tuple, TypeVar

Rule = Tuple[str, str]
Value = TypeVar("Value")


def weight_and_bias(*rules: Rule) -> List[Rule]:
    """Each rule twice: for a module's ``weight`` and its ``bias``."""
    return [(f"{left}.{part}", f"{right}.{part}") for left, right in rules for part in ("weight", "bias")]


def below(prefix: str, rules: Iterable[Rule]) -> List[Rule]:
    """Add ``prefix`` to the right side of the rules, as for the encoder in a model with a head."""
    return [(left, prefix + right) for left, right in rules]


def reverse(rules: Iterable[Rule]) -> List[Rule]:
    """Swap the sides of the rules."""
    return [(right, left) for left, right in rules]


def renamed(state: Mapping[str, Value], rules: Sequence[Rule], dropped: Sequence[str] = ()) -> Dict[str, Value]:
    """Rename ``state`` from the left to the right side of ``rules``; values are not copied.

    Names that match a pattern in ``dropped`` are left out. Raises ValueError for an unknown name, and for two names
    that become the same.
    """
    result: Dict[str, Value] = {}
    unknown: List[str] = []
    for name, value in state.items():
        new = next(_matches(name, rules), None)
        if new is not None and new in result:
            raise ValueError(f"`{name}` maps to `{new}`, to which another weight is already mapped")
        if new is not None:
            result[new] = value
        elif next(_matches(name, [(pattern, "") for pattern in dropped]), None) is None:
            unknown.append(name)
    if unknown:
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        raise ValueError(f"there is no conversion rule for {', '.join(f'`{name}`' for name in unknown[:3])}{more}")
    return result


def _matches(name: str, rules: Iterable[Rule]) -> Iterator[str]:
    """Yield the new name by each rule that matches ``name``."""
    for left, right in rules:
        found = re.fullmatch(r"(\d+)".join(map(re.escape, left.split("{}"))), name)
        if found:
            yield right.format(*found.groups())
