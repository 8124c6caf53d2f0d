"""Keys of registered dataclasses: how ours are declared, and what a misspelt one is told."""

from dataclasses import field
from typing import Any

from omegaconf.errors import ConfigKeyError

from .host.launching.unknown_keys import UnknownKeyError, message

__all__ = ["UnknownKeyError", "key", "merge_with_parent"]


def key(default: Any, text: str) -> Any:
    """A field of a fairseq dataclass, with the help text that fairseq prints."""
    return field(default=default, metadata={"help": text})


def merge_with_parent(stock: Any, dc: Any, cfg: Any, *args: Any, **kwargs: Any) -> Any:
    """fairseq's function that merges a section into its dataclass, be it ours or fairseq's own.

    `fairseq-hydra-train` merges fairseq's own before it imports a plugin: `host/launching/takeover.py` looks at those.
    """
    try:
        return stock(dc, cfg, *args, **kwargs)
    except ConfigKeyError as error:
        told = message(dc, cfg)
        if not told:
            raise
        raise UnknownKeyError(told) from error
