"""Wraps `_hydra_main`, which receives the composed configuration: the recipe is checked against the machine first."""

import functools
from types import ModuleType
from typing import Any

from .machine import compare, settle_start
from .ours import is_ours
from .recipe_batch import settle
from .unknown_keys import refuse_unknown_keys
from .upstream import add_upstream_keys, fit_to_release


def look_first(module: ModuleType) -> bool:
    """Wraps fairseq's function; other configurations go straight to it."""
    stock = module._hydra_main

    @functools.wraps(stock)
    def _hydra_main(cfg: Any, **kwargs: Any) -> Any:
        if is_ours(cfg):
            prepare(cfg)
        return stock(cfg, **kwargs)

    module._hydra_main = _hydra_main  # type: ignore[attr-defined]
    return True


def prepare(cfg: Any) -> None:
    """Refuses keys without effect, and fits a complete configuration to this fairseq and this machine.

    Raises:
        ValueError: a key is unknown, or the recipe cannot be run here as it is.
    """
    add_upstream_keys()
    fit_to_release(cfg)
    refuse_unknown_keys(cfg)
    settle_start(cfg)
    settle(cfg)
    compare(cfg)
