"""What hydra does again and again, done once, which halves the start of a small run.

- It copies all that is registered, twice for each command, so that it may change it, which it never does.
- It composes the configuration once only to see whether `hydra.mode` asks for several runs; none of ours sets it.
- Its parsers build their tables as they meet each form of override and interpolation; a fork inherits them.
"""

from contextlib import suppress
from typing import Any

from hydra._internal.hydra import Hydra
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import OverrideParseException
from omegaconf import OmegaConf

OVERRIDES = (
    *("task=name", "+size/audio=tiny", "~task", "++a.b=null", "a.b=true", "a.b=0.5", "a=1e-3", "a=-3", "a=/b/c-d.tsv"),
    *(
        "a.b=[0.5,0.0]",
        "a='[(16,10,5)] + [(16,3,2)] * 4'",
        "a=x,y",
        "a={b:1,c:d}",
        "a='${b.c}'",
        "a=1,100",
        "a=[1],[2]",
    ),
)
INTERPOLATIONS = ("${b}", "${c.d}", "x/${b}-${c.d.0}/y")


def keep_one_config_store() -> None:
    """Copy it no longer in this process; what is loaded from it is copied as before."""

    def itself(store: Any, _: Any) -> Any:
        return store

    ConfigStore.__deepcopy__ = itself


def compose_once() -> None:
    """Take the way of running from the command line alone, as hydra 1.0 does."""
    if hasattr(Hydra, "get_mode"):
        Hydra.get_mode = lambda *_, **__: None


def warm_parsers() -> None:
    """Parse one of each form that our commands and recipes have."""
    parser = OverridesParser.create()
    for override in OVERRIDES:
        with suppress(OverrideParseException):  # hydra 1.0 does not know `++`
            parser.parse_overrides([override])
    with_resolver = ["${oc.env:HOME,x}"] if hasattr(OmegaConf, "has_resolver") else []  # from OmegaConf 2.1
    values = OmegaConf.create({"b": 1, "c": {"d": [2]}, "all": [*INTERPOLATIONS, *with_resolver]})
    OmegaConf.to_container(values, resolve=True)
