"""Keys of configurations by dotted names, such as `encoder.layers`; checks of keys that support one value only."""

from __future__ import annotations

from typing import Any, Dict, Mapping


def value_at(config: Mapping[str, Any], key: str) -> Any:
    """Return the value of a dotted ``key``.

    >>> value_at({"encoder": {"layers": 3}}, "encoder.layers")
    3
    """
    value: Any = config
    for part in key.split("."):
        value = value[part]
    return value


def sections(values: Mapping[str, Any]) -> Dict[str, Any]:
    """Return a nested configuration with the values of dotted keys.

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
    """Drop keys that have their ``implied`` value: upstream's model does not have these keys and would reject them.

    >>> but_for({"norm_eps": 1e-5}, {"norm_eps": 1e-5, "depth": 2})
    {'depth': 2}
    """
    return {key: value for key, value in values.items() if key not in implied or implied[key] != value}


def refuse_beyond(known: Mapping[str, Any], config: Mapping[str, Any], whose: str, prefix: str = "") -> None:
    """Raise ValueError, which names the key, if a configuration has another value than the ``known`` one."""
    for key, only in known.items():
        got = value_at(config, key)
        if got != only:
            raise ValueError(f"`{prefix}{key}` is {got!r}, but {whose} supports only {only!r}")
