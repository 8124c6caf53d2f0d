"""Keys of our registered dataclasses: how they are declared, and what a misspelt one is told."""

import difflib
from dataclasses import field, fields
from typing import Any

from omegaconf.errors import ConfigKeyError

GROUPS = {"models": "model", "tasks": "task", "criterions": "criterion", "scoring": "scoring"}


def key(default: Any, text: str) -> Any:
    """A field of a fairseq dataclass, with the help text that fairseq prints."""
    return field(default=default, metadata={"help": text})


class UnknownKeyError(ValueError):
    """A YAML or an override has a key that the chosen model, task or criterion does not know."""


def explain_unknown_keys() -> None:
    """Wrap the function in which fairseq merges a config into its dataclass; errors of others' stay as they are."""
    from fairseq.dataclass import utils

    stock = utils.merge_with_parent
    if getattr(stock, "explains_unknown_keys", False):
        return

    def merge_with_parent(dc: Any, cfg: Any, *args: Any, **kwargs: Any) -> Any:
        dataclass = dc if isinstance(dc, type) else type(dc)
        try:
            return stock(dc, cfg, *args, **kwargs)
        except ConfigKeyError as error:
            if not dataclass.__module__.startswith(f"{__package__}."):
                raise
            raise UnknownKeyError(unknown_key_message(dataclass, cfg)) from error

    merge_with_parent.explains_unknown_keys = True  # type: ignore[attr-defined]
    utils.merge_with_parent = merge_with_parent


def unknown_key_message(dataclass: type, cfg: Any) -> str:
    """Name the unknown keys of ``cfg`` and what they may have been meant to be."""
    known = [field.name for field in fields(dataclass)]  # type: ignore[arg-type]
    group = GROUPS.get(dataclass.__module__.split(".")[1], "")
    hints = []
    for name in cfg:
        if name not in known:
            close = difflib.get_close_matches(str(name), known, n=2)
            meant = " or ".join(f"`{group}.{key}`" for key in close)
            hints.append(f"`{group}.{name}` (did you mean {meant}?)" if close else f"`{group}.{name}`")
    chosen = cfg.get("_name", dataclass.__name__)
    return f"{group} `{chosen}` has no such key: {', '.join(hints)}; correct it in the YAML or on the command line"
