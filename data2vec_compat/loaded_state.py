"""Checks a loaded checkpoint before it is used: its configuration, its sizes, its tensors.

A pickle that runs no code can still hold a configuration that contains itself, reads a password from the environment or
requests a million layers, and tensors of a petabyte on a storage of four bytes.
"""

import re
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

MOST_VALUES = 1_000_000
DEEPEST = 64
"""Limits for a configuration. fairseq's have about 600 values, four sections deep."""
MOST_LAYERS = 1000
"""Above this number, the weights must have as many layers."""
LARGEST_VIEW = 2**20
"""Bytes that a tensor may need even if its storage has fewer, as for expanded tensors."""

CONFIGURATIONS = ("cfg", "args")
RESOLVER = re.compile(r"\$\{\s*[^{}\s]+?\s*:")
"""Such as `${oc.env:HOME}`; `${task.data}` stays within the configuration."""
LAYER = re.compile(r"(?:^|\.)(?:\w*layers?|blocks)\.(\d+)\.")
COUNT = re.compile(r"(?:^|_)(?:layers|depth)$")


class UnbelievableError(ValueError):
    """The content of a loaded file is impossible or unsafe; the message continues "it is …"."""


def check_loaded(state: Any, size: Optional[int] = None) -> None:
    """Check a loaded checkpoint before it is used; runs and resolves nothing.

    ``size`` is the number of bytes in its file, if it has one. Tensors with more are refused: torch 2.1 reads whatever
    memory follows a storage that claims too much. A storage may still claim another one's bytes.

    Raises:
        UnbelievableError: its content is impossible or unsafe.
    """
    if not isinstance(state, Mapping):
        return
    values = [leaf for key in CONFIGURATIONS for leaf in leaves(state.get(key), key)]
    for key, value in values:
        if isinstance(value, str) and RESOLVER.search(value):
            raise UnbelievableError(
                f"a checkpoint whose `{key}` is {value[:100]!r}, which refers to something outside the file; replace "
                "it by the value itself"
            )
    tensors = list(_tensors(state))
    _check_layers(values, [name for name, _ in tensors])
    for name, tensor in tensors:
        _check_storage(name, tensor)
    if size is not None:
        _check_size([tensor for _, tensor in tensors], size)


def leaves(section: Any, name: str) -> Iterator[Tuple[str, Any]]:
    """The values of a configuration of any kind, each with its key; nothing is resolved.

    Raises:
        UnbelievableError: it contains itself, or is deeper or larger than any configuration.
    """
    _measure(section, [], {})
    stack = [(name, section)]
    while stack:
        key, value = stack.pop()
        inside = _entries(value)
        if inside is None:
            yield key, _value(value)
        else:
            stack.extend((f"{key}.{part}", entry) for part, entry in inside)


def _measure(section: Any, above: List[int], known: Dict[int, int]) -> int:
    """The number of values in a section, each counted as often as it is reached."""
    inside = _entries(section)
    if inside is None:
        return 1
    if id(section) in above:
        raise UnbelievableError("a checkpoint whose configuration contains itself")
    if id(section) not in known:
        if len(above) >= DEEPEST:
            raise UnbelievableError(f"a checkpoint whose configuration is more than {DEEPEST} sections deep")
        here = [*above, id(section)]
        known[id(section)] = 1 + sum(_measure(entry, here, known) for _, entry in inside)
    if known[id(section)] > MOST_VALUES:
        raise UnbelievableError(f"a checkpoint whose configuration has more than {MOST_VALUES:,} values")
    return known[id(section)]


def _value(leaf: Any) -> Any:
    """The value of a leaf; for a node of omegaconf its raw value, also if that is an interpolation."""
    if not _is_of_omegaconf(leaf) or not hasattr(leaf, "__dict__"):
        return leaf
    inside = vars(leaf)
    return inside.get("_val", inside.get("_content"))


def _is_of_omegaconf(section: Any) -> bool:
    return type(section).__module__.partition(".")[0] == "omegaconf"


def _entries(section: Any) -> "List[Tuple[Any, Any]] | None":
    """The items of a section (a dict, a list, a Namespace or an omegaconf container); None for a value."""
    if _is_of_omegaconf(section):
        section = vars(section).get("_content") if hasattr(section, "__dict__") else None
    elif type(section).__name__ == "Namespace":
        section = vars(section)
    if isinstance(section, Mapping):
        return list(section.items())
    return list(enumerate(section)) if isinstance(section, (list, tuple, set, frozenset)) else None


def _tensors(state: Mapping[Any, Any]) -> Iterator[Tuple[str, Any]]:
    """Everything that has a storage, by name; each mapping is visited once."""
    seen, stack = {id(state)}, [("", state)]
    while stack:
        prefix, section = stack.pop()
        for key, value in section.items():
            if _is_of_omegaconf(value):  # reading it would resolve interpolations
                continue
            if hasattr(value, "untyped_storage"):
                yield f"{prefix}{key}", value
            elif isinstance(value, Mapping) and id(value) not in seen:
                seen.add(id(value))
                stack.append((f"{prefix}{key}.", value))


def _check_layers(values: List[Tuple[str, Any]], names: List[str]) -> None:
    claims = [(number, key) for key, value in values for number in _claimed(key, value)]
    if not claims:
        return
    number, key = max(claims)
    counted = most_layers(names)
    if number > max(MOST_LAYERS, counted):
        raise UnbelievableError(
            f"a checkpoint whose `{key}` is {number:,} but whose weights have {counted:,} layers; one of the two is "
            "wrong"
        )


def _claimed(key: str, value: Any) -> Iterator[int]:
    if not COUNT.search(key.rpartition(".")[2]) or isinstance(value, bool):
        return
    if isinstance(value, (int, float)) and value == value and abs(value) != float("inf"):
        yield int(value)
    elif isinstance(value, str) and value.strip().isdecimal():
        yield int(value) if len(value) < 20 else 10**20


def most_layers(names: List[str]) -> int:
    """The number of layers, according to the names of the weights."""
    return max((int(number[:9]) + 1 for name in names for number in LAYER.findall(name)), default=0)


def _check_size(tensors: List[Any], size: int) -> None:
    storages = {
        each.untyped_storage().data_ptr(): each.untyped_storage().nbytes() for each in tensors if _has_bytes(each)
    }
    claimed = sum(storages.values())
    if claimed > size:
        raise UnbelievableError(f"a checkpoint whose tensors take {claimed:,} bytes, of which the file has {size:,}")


def _has_bytes(tensor: Any) -> bool:
    return not tensor.is_meta and str(tensor.layout) == "torch.strided"


def _check_storage(name: str, tensor: Any) -> None:
    if not _has_bytes(tensor):
        return
    wanted = tensor.numel() * tensor.element_size()
    held = tensor.untyped_storage().nbytes()
    if wanted > max(held, LARGEST_VIEW):
        raise UnbelievableError(
            f"a checkpoint whose tensor `{name}` of shape {tuple(tensor.shape)} needs {wanted:,} bytes but has {held:,}"
        )
