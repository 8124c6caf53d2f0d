"""Keys of configurations by their whole names, in which dots lead into sections; and keys with one value only."""

from __future__ import annotations

from typing import Any, Dict, Mapping


def value_at(config: Mapping[str, Any], key: str) -> Any:
    """The value of ``key``.

    >>> value_at({"encoder": {"layers": 3}}, "encoder.layers")
    3
    """
    value: Any = config
    for part in key.split("."):
        value = value[part]
    return value


def sections(values: Mapping[str, Any]) -> Dict[str, Any]:
    """A configuration with these values.

    >>> sections({"encoder.layers": 3, "dropout": 0.1})
    {'encoder': {'layers': 3}, 'dropout': 0.1}
    """
    config: Dict[str, Any] = {}
    for key, value in values.items():
        section = config
        *path, last = key.split(".")
        for part in path:
            section = section.setdefault(part, {})
        section[last] = value
    return config


def but_for(implied: Mapping[str, Any], values: Mapping[str, Any]) -> Dict[str, Any]:
    """The values that differ from the defaults: default keys are omitted, so that upstream's model accepts the rest.

    >>> but_for({"norm_eps": 1e-5}, {"norm_eps": 1e-5, "depth": 2})
    {'depth': 2}
    """
    return {key: value for key, value in values.items() if key not in implied or implied[key] != value}


def refuse_beyond(known: Mapping[str, Any], config: Mapping[str, Any], whose: str, prefix: str = "") -> None:
    """Raise ValueError, which names the key, for a configuration with another value than what is ``known``."""
    for key, only in known.items():
        got = value_at(config, key)
        if got != only:
            raise ValueError(f"`{prefix}{key}` is {got!r}, but {whose} supports only {only!r}")
