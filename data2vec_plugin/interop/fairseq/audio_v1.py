"""The state-dict layout of upstream's v1 speech model, in both directions.

Our plain names (`interop/parts.py`) are upstream's, so one rule is left: the weight norm of the single position
convolution (``pos_conv_depth: 1``), which upstream stores in its old form and torch has since made a parametrisation.
"""

from __future__ import annotations

from typing import Any, MutableMapping

TEACHER = "_ema"
OURS_TO_UPSTREAM = {
    "pos_conv.0.parametrizations.weight.original0": "pos_conv.0.weight_g",
    "pos_conv.0.parametrizations.weight.original1": "pos_conv.0.weight_v",
}
UPSTREAM_TO_OURS = {theirs: ours for ours, theirs in OURS_TO_UPSTREAM.items()}


def _renamed(name: str, table: dict[str, str]) -> str:
    for old, new in table.items():
        if name == old or name.endswith("." + old):
            return name[: -len(old)] + new
    return name


def to_upstream(state: MutableMapping[str, Any], prefix: str = "") -> None:
    """Rename, in place, the entries of ``state`` below ``prefix`` to upstream's layout. Idempotent."""
    _rename_in_place(state, prefix, OURS_TO_UPSTREAM)


def from_upstream(state: MutableMapping[str, Any], prefix: str = "") -> None:
    """The reverse of :func:`to_upstream`. Idempotent."""
    _rename_in_place(state, prefix, UPSTREAM_TO_OURS)


def teacher_to_upstream(state: MutableMapping[str, Any]) -> None:
    """As :func:`to_upstream` for the teacher's entries, whichever part of the model they belong to."""
    to_upstream(state)


def teacher_from_upstream(state: MutableMapping[str, Any]) -> None:
    """The reverse of :func:`teacher_to_upstream`."""
    from_upstream(state)


def _rename_in_place(state: MutableMapping[str, Any], prefix: str, table: dict[str, str]) -> None:
    for key in [key for key in state if key.startswith(prefix)]:
        new = _renamed(key, table)
        if new != key:
            state[new] = state.pop(key)
