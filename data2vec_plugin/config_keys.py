"""Keys of registered dataclasses: how ours are declared, and what a misspelt one is told."""

from dataclasses import field
from typing import Any

from omegaconf.errors import ConfigKeyError

from .host.launching.unknown_keys import UnknownKeyError, message

__all__ = ["UnknownKeyError", "explain_unknown_keys", "key"]


def key(default: Any, text: str) -> Any:
    """A field of a fairseq dataclass, with the help text that fairseq prints."""
    return field(default=default, metadata={"help": text})


def explain_unknown_keys() -> None:
    """Wrap the function in which fairseq merges a config into its dataclass, be it ours or fairseq's own.

    `fairseq-hydra-train` merges fairseq's own before it imports a plugin: `host/launching/takeover.py` looks at those.
    """
    from fairseq.dataclass import utils

    stock = utils.merge_with_parent
    if getattr(stock, "explains_unknown_keys", False):
        return

    def merge_with_parent(dc: Any, cfg: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return stock(dc, cfg, *args, **kwargs)
        except ConfigKeyError as error:
            told = message(dc, cfg)
            if not told:
                raise
            raise UnknownKeyError(told) from error

    merge_with_parent.explains_unknown_keys = True  # type: ignore[attr-defined]
    utils.merge_with_parent = merge_with_parent
