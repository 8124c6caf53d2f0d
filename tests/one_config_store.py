"""hydra copies all that is registered, twice for each command, so that it may change it, which it never does.

With fairseq's dataclasses and ours that is a third of a short run, and half of a composition.
"""

from typing import Any

from hydra.core.config_store import ConfigStore


def keep_one_config_store() -> None:
    """Copy it no longer in this process; what is loaded from it is copied as before."""

    def itself(store: Any, _: Any) -> Any:
        return store

    ConfigStore.__deepcopy__ = itself
