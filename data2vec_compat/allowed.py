"""The classes and functions that a checkpoint of fairseq is made of."""

import argparse
import collections
import enum
import functools
import operator
import sys
import typing
from importlib import import_module
from typing import Any, Iterable, List, Tuple

Entry = Tuple[Any, str]  # the object, and the name that the file calls it by


class ForbiddenCallError(ValueError):
    """A checkpoint asks a function that it may call for something else than what checkpoints need of it."""


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
    """What may be in a checkpoint, as far as it is installed."""
    named = ((_resolve(name), name) for name in _NAMES)
    return [*_fixed(), *(entry for entry in named if entry[0] is not None)]


def harmless_globals(names: Iterable[str]) -> List[Entry]:
    """Of `names`, the enums and configuration dataclasses of what is imported already.

    To build one of these from a file sets attributes and runs no code. Modules of the
    hosts are imported for it, others never.
    """
    entries = ((_resolve(name), name) for name in names)
    return [entry for entry in entries if _is_harmless(entry[0])]


def _is_harmless(found: Any) -> bool:
    if not isinstance(found, type):
        return False
    if issubclass(found, enum.Enum):
        return bool(found.__members__)  # one without would make new enums when called
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
    """Stands for `getattr`, by which Python 3.11 pickles the members of an enum.

    Raises:
        ForbiddenCallError: anything but a member of an enum is asked for.
    """
    if isinstance(owner, type) and issubclass(owner, enum.Enum) and name in owner.__members__:
        return owner[name]
    raise ForbiddenCallError(f"a checkpoint asks for `{name}` of {owner!r}, which is no enum member")


def given_bytes(*content: Any) -> bytes:
    """Stands for `bytes` and `bytearray`, which make as many zeros as a number says.

    Raises:
        ForbiddenCallError: anything but the bytes themselves is given.
    """
    if len(content) > 1 or not all(isinstance(each, (bytes, bytearray, list, tuple)) for each in content):
        raise ForbiddenCallError(f"a checkpoint asks for bytes of {', '.join(type(each).__name__ for each in content)}")
    return bytes(*content)


def type_of_none(value: Any, *more: Any) -> Any:
    """Stands for `type`, by which the None of `Optional[int]` is pickled.

    Raises:
        ForbiddenCallError: anything but the type of None is asked for.
    """
    if value is None and not more:
        return type(None)
    raise ForbiddenCallError(f"a checkpoint asks for the type of {value!r}, or makes a new one")


def type_argument(owner: Any, argument: Any) -> Any:
    """Stands for `operator.getitem`, by which `Optional[int]` and the like are pickled.

    Raises:
        ForbiddenCallError: anything but a generic of `typing` is indexed.
    """
    if not any(owner is getattr(typing, name) for name in _TYPES):
        raise ForbiddenCallError(f"a checkpoint indexes {owner!r}, which is no generic of typing")
    arguments = argument if isinstance(argument, tuple) else (argument,)
    if any(isinstance(each, (str, typing.ForwardRef)) for each in arguments):  # which would be compiled
        raise ForbiddenCallError(f"a checkpoint asks for the type that {argument!r} is the name of")
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
    # dtype objects are built in place: torch compares their very class
    entries.extend((kind, f"numpy.dtypes.{kind.__name__}") for kind in kinds)
    return entries
