"""Makes fairseq's modules importable.

Python ≥ 3.11 refuses a dataclass instance as a default, which fairseq relies on. `default_factory` does not help:
fairseq's `hydra_init` reads `field.default`. Python tests whether the default's class is hashable, so those classes are
made hashable.

fairseq writes `{help: …}` where `{"help": …}` is meant, which works because the site module adds a builtin `help`. With
`python -S` there is none, and fairseq.dataclass.configs cannot be imported.
"""

import dataclasses
import functools
from types import ModuleType
from typing import Any, Callable, Optional

from data2vec_compat.registry import patch

_HOSTS = ("fairseq", "fairseq_cli", "hydra", "omegaconf")


def _python_refuses() -> bool:
    @dataclasses.dataclass
    class Inner:
        pass

    try:
        dataclasses.make_dataclass("Outer", [("x", Inner, Inner())])
    except ValueError:
        return True
    return False


def _is_hosts(cls: type) -> bool:
    """True for classes of fairseq and hydra, and for subclasses of FairseqDataclass anywhere."""
    if cls.__module__.partition(".")[0] in _HOSTS:
        return True
    return any(base.__name__ == "FairseqDataclass" for base in cls.__mro__)


def _make_defaults_hashable(cls: type) -> None:
    for value in list(vars(cls).values()):
        default = value.default if isinstance(value, dataclasses.Field) else value
        kind = type(default)
        if dataclasses.is_dataclass(kind) and kind.__hash__ is None:
            # by identity, as for classes without __eq__
            kind.__hash__ = object.__hash__  # type: ignore[method-assign,assignment]


@patch(
    "mutable defaults",
    "dataclasses",
    why="Python ≥ 3.11 refuses dataclass instances as defaults (fairseq, hydra 1.0)",
)
def accept_instances(module: ModuleType) -> bool:
    """Wraps `dataclasses.dataclass`; classes of other packages are not affected."""
    if not _python_refuses():
        return False
    stock: Callable[..., Any] = module.dataclass

    @functools.wraps(stock)
    def dataclass(cls: Optional[type] = None, **options: Any) -> Any:
        if cls is None:
            return lambda decorated: dataclass(decorated, **options)
        if _is_hosts(cls):
            _make_defaults_hashable(cls)
        return stock(cls, **options)

    module.dataclass = dataclass  # type: ignore[attr-defined]
    return True


@patch("builtin help", "builtins", why="fairseq uses `help`, which `python -S` does not define")
def define_help(module: ModuleType) -> bool:
    """Adds the builtin that the site module would have added."""
    if hasattr(module, "help"):
        return False
    from _sitebuiltins import _Helper

    module.help = _Helper()  # type: ignore[attr-defined]
    return True
