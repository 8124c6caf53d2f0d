"""The classes and functions that a fairseq checkpoint may contain."""

import argparse
import collections
import enum
import functools
import operator
import sys
import typing
from importlib import import_module
from typing import Any, Iterable, List, Tuple

Entry = Tuple[Any, str]  # the object, and its name in the file


class ForbiddenCallError(ValueError):
    """A checkpoint calls an allowed function in a way that no checkpoint needs."""


_HOSTS = ("fairseq", "omegaconf", "data2vec_plugin")
_METERS = ("AverageMeter", "SumMeter", "TimeMeter", "StopwatchMeter", "MetersDict")
_NODES = ("AnyNode", "StringNode", "IntegerNode", "FloatNode", "BooleanNode", "EnumNode")
_NAMES = (
    "fairseq.data.dictionary.Dictionary",
    "fairseq.data.dictionary.TruncatedDictionary",
    "fairseq.distributed.utils._TensorPlaceholder",
    "omegaconf.dictconfig.DictConfig",
    "omegaconf.listconfig.ListConfig",
    "omegaconf.base.Metadata",
    "omegaconf.base.ContainerMetadata",
    *(f"omegaconf.nodes.{name}" for name in _NODES),
    # older releases kept their meters elsewhere
    *(f"fairseq.{place}.{name}" for place in ("logging.meters", "meters") for name in _METERS),
)


@functools.lru_cache(maxsize=1)
def _fixed() -> Tuple[Entry, ...]:
    kinds = (list, dict, tuple, set, frozenset, int, float, bool, str)
    return (
        *((kind, f"builtins.{kind.__name__}") for kind in kinds),
        (argparse.Namespace, "argparse.Namespace"),
        (collections.defaultdict, "collections.defaultdict"),
        (given_bytes, "builtins.bytes"),
        (given_bytes, "builtins.bytearray"),
        (enum_member, "builtins.getattr"),
        (type_of_none, "builtins.type"),
        (type_argument, "operator.getitem"),
        (type_argument, "_operator.getitem"),
        *((getattr(typing, name), f"typing.{name}") for name in _TYPES),
        *_numpy_entries(),
    )


_TYPES = ("Any", "Union", "Optional", "List", "Dict", "Tuple")


def allowed_globals() -> List[Entry]:
    """The allowed classes and functions, as far as their packages are installed."""
    named = ((_resolve(name), name) for name in _NAMES)
    return [*_fixed(), *(entry for entry in named if entry[0] is not None)]


def harmless_globals(names: Iterable[str]) -> List[Entry]:
    """Those of `names` that are enums or configuration dataclasses of modules that are already imported.

    Loading one of these sets attributes and runs no code. Only modules of fairseq, hydra and omegaconf are imported for
    it.
    """
    entries = ((_resolve(name), name) for name in names)
    return [entry for entry in entries if _is_harmless(entry[0])]


def _is_harmless(found: Any) -> bool:
    if not isinstance(found, type):
        return False
    if issubclass(found, enum.Enum):
        return bool(found.__members__)  # calling an enum without members would create a new one
    return any(base.__name__ == "FairseqDataclass" for base in found.__mro__)


def _resolve(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    if module not in sys.modules:
        if module.partition(".")[0] not in _HOSTS:
            return None
        try:
            import_module(module)
        except ImportError:
            return None
    return getattr(sys.modules[module], attribute, None)


def enum_member(owner: Any, name: str) -> Any:
    """Replaces `getattr`, with which Python 3.11 pickles the members of an enum.

    Raises:
        ForbiddenCallError: anything other than a member of an enum is requested.
    """
    if isinstance(owner, type) and issubclass(owner, enum.Enum) and name in owner.__members__:
        return owner[name]
    raise ForbiddenCallError(f"a checkpoint requests `{name}` of {owner!r}, which is not an enum member")


def given_bytes(*content: Any) -> bytes:
    """Replaces `bytes` and `bytearray`, which allocate N zeros when called with a number N.

    Raises:
        ForbiddenCallError: the argument is anything other than bytes.
    """
    if len(content) > 1 or not all(isinstance(each, (bytes, bytearray, list, tuple)) for each in content):
        raise ForbiddenCallError(
            f"a checkpoint requests bytes from {', '.join(type(each).__name__ for each in content)}"
        )
    return bytes(*content)


def type_of_none(value: Any, *more: Any) -> Any:
    """Replaces `type`, with which the None of `Optional[int]` is pickled.

    Raises:
        ForbiddenCallError: anything other than the type of None is requested.
    """
    if value is None and not more:
        return type(None)
    raise ForbiddenCallError(f"a checkpoint requests the type of {value!r}, or creates a new one")


def type_argument(owner: Any, argument: Any) -> Any:
    """Replaces `operator.getitem`, with which types such as `Optional[int]` are pickled.

    Raises:
        ForbiddenCallError: anything other than a generic type of `typing` is indexed.
    """
    if not any(owner is getattr(typing, name) for name in _TYPES):
        raise ForbiddenCallError(f"a checkpoint indexes {owner!r}, which is not a generic type of typing")
    arguments = argument if isinstance(argument, tuple) else (argument,)
    if any(isinstance(each, (str, typing.ForwardRef)) for each in arguments):  # a string would be compiled
        raise ForbiddenCallError(f"a checkpoint requests a type by its name, {argument!r}")
    return operator.getitem(owner, argument)


def _numpy_entries() -> List[Entry]:
    """Scalars and arrays under the module names of NumPy 1 and of NumPy 2."""
    try:
        import numpy
    except ImportError:
        return []
    place = "numpy._core" if hasattr(numpy, "_core") else "numpy.core"  # the first, from NumPy 1.26 on
    multiarray = import_module(f"{place}.multiarray")
    entries: List[Entry] = [(numpy.ndarray, "numpy.ndarray"), (numpy.dtype, "numpy.dtype")]
    for place in ("numpy.core.multiarray", "numpy._core.multiarray"):
        for name in ("scalar", "_reconstruct"):
            entries.append((getattr(multiarray, name), f"{place}.{name}"))
    kinds = {type(numpy.dtype(code)) for code in "?bBhHiIlLqQefdFDgG"}
    # dtype objects are created in the unpickler: torch compares their exact class
    entries.extend((kind, f"numpy.dtypes.{kind.__name__}") for kind in kinds)
    return entries
