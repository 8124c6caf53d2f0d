"""Which configurations are ours, and whether one of them trains just now."""

import contextlib
import os
import sys
from typing import Any, Iterator

PLUGIN = "data2vec_plugin"
KEY = "common.user_dir"

_trainings = 0


def is_ours(cfg: Any) -> bool:
    """Whether a configuration, or fairseq's arguments, asks for our plugin, by name or as a folder."""
    if not hasattr(cfg, "_get_node"):
        return names_plugin(getattr(getattr(cfg, "common", cfg), "user_dir", None))
    common = node_of(cfg, "common")
    return common is not None and "user_dir" in common and names_plugin(common["user_dir"])


def names_plugin(user_dir: Any) -> bool:
    """Whether a `user_dir` is our plugin's name, or a folder of that name."""
    return user_dir is not None and os.path.basename(os.path.abspath(str(user_dir))) == PLUGIN


def asks_for_us(override: str) -> bool:
    """Whether an override, as the user typed it, sets `common.user_dir` to our plugin."""
    key, _, value = override.partition("=")
    return key.lstrip("+") == KEY and names_plugin(value.strip("'\""))


def node_of(cfg: Any, name: str) -> Any:
    """A section of a configuration with keys, or None."""
    node = cfg._get_node(name) if name in cfg else None
    return node if has_keys(node) else None


def has_keys(node: Any) -> bool:
    """Whether a node of a configuration has keys: neither absent, nor None, nor a name, nor an interpolation."""
    return node is not None and isinstance(node._value(), dict)


@contextlib.contextmanager
def training() -> Iterator[None]:
    """Context in which a data2vec configuration trains, for functions that do not receive the configuration."""
    global _trainings
    _trainings += 1
    try:
        yield
    finally:
        _trainings -= 1


def trains() -> bool:
    """Whether a data2vec configuration trains in this process."""
    return _trainings > 0


def is_imported() -> bool:
    """Whether this process has imported the plugin, as fairseq's commands do for `--user-dir data2vec_plugin`."""
    return PLUGIN in sys.modules
