"""Reports keys that no fairseq dataclass knows, with similar known keys.

omegaconf reports one key at a time, without its section; and keys that `+` appends to a section that hydra has already
merged are never checked.
"""

import difflib
from dataclasses import fields, is_dataclass
from typing import Any, Dict, Iterator, List, Optional, Tuple

from .ours import has_keys, node_of

Unknown = Tuple[str, List[str]]  # a key in full, and those that it resembles


class UnknownKeyError(ValueError):
    """A YAML or an override has a key that its section, or the model or task chosen for it, does not have."""


def refuse_unknown_keys(cfg: Any) -> None:
    """Looks at each section whose dataclass is known by now; our plugin's own are merged, and explained, later.

    Raises:
        UnknownKeyError: a section has a key that would be without effect, or that fairseq could not merge.
    """
    messages = list(_misspelt_sections(cfg))
    for name in _sections():
        node, dataclass = node_of(cfg, name), dataclass_of(name, chosen(cfg, name))
        if node is not None and dataclass is not None:
            messages += filter(None, [message(dataclass, node, name)])
    if messages:
        raise UnknownKeyError("; ".join(messages))


def message(dataclass: Any, cfg: Any, section: str = "") -> str:
    """Return what is wrong with the keys of `cfg`, which will become a `dataclass`, or an empty string."""
    section = section or _section_of(dataclass)
    unknown = list(_unknown(dataclass, cfg, section))
    if not unknown:
        return ""
    plain = section in _sections() and section not in _registries()
    name = cfg.get("_name", None)
    kind = dataclass if isinstance(dataclass, type) else type(dataclass)
    who = f"`{section}`" if plain else f"{section} `{name or kind.__name__}`"
    return f"{who} has no key {_listed(unknown)}; correct it in the YAML or on the command line"


def chosen(cfg: Any, section: str) -> Optional[str]:
    """The name of the model, task, … of a section; None if it names none."""
    node = node_of(cfg, section)
    return str(node["_name"]) if node is not None and "_name" in node else None


def dataclass_of(section: str, name: Any) -> Any:
    """The dataclass of a section, or of what was chosen for it; None where none is registered (yet)."""
    from fairseq.models import ARCH_MODEL_NAME_REGISTRY

    if section in _registries():
        return _registries()[section].get(ARCH_MODEL_NAME_REGISTRY.get(name, name) if section == "model" else name)
    field = _sections().get(section)
    return None if field is None else _nested(field)


def _unknown(dataclass: Any, cfg: Any, prefix: str) -> Iterator[Unknown]:
    known = {field.name: field for field in fields(dataclass)}
    for name in cfg:
        key, node = f"{prefix}.{name}", cfg._get_node(name)
        if name not in known:
            close = difflib.get_close_matches(str(name), list(known), n=2)
            yield key, [f"{prefix}.{other}" for other in close]
        elif _nested(known[name]) is not None and has_keys(node):
            yield from _unknown(_nested(known[name]), node, key)


def _misspelt_sections(cfg: Any) -> Iterator[str]:
    """Other sections are allowed, unless their name resembles one of fairseq's."""
    for name in cfg:
        close = difflib.get_close_matches(str(name), list(_sections()), n=1, cutoff=0.8)
        if close and name not in _sections():
            yield f"there is no section {_listed([(str(name), close)])}; correct it in the YAML or on the command line"


def _listed(unknown: List[Unknown]) -> str:
    said = []
    for key, close in unknown:
        meant = " or ".join(f"`{other}`" for other in close)
        said.append(f"`{key}` (did you mean {meant}?)" if close else f"`{key}`")
    return ", ".join(said)


def _nested(field: Any) -> Any:
    """The dataclass that a field of another one holds, or None."""
    return next((kind for kind in (field.type, type(field.default)) if is_dataclass(kind)), None)


def _sections() -> Dict[str, Any]:
    from fairseq.dataclass.configs import FairseqConfig

    return dict(FairseqConfig.__dataclass_fields__)


def _registries() -> Dict[str, Dict[str, Any]]:
    from fairseq.models import MODEL_DATACLASS_REGISTRY
    from fairseq.registry import REGISTRIES
    from fairseq.tasks import TASK_DATACLASS_REGISTRY

    others = {section: registry["dataclass_registry"] for section, registry in REGISTRIES.items()}
    return {"model": MODEL_DATACLASS_REGISTRY, "task": TASK_DATACLASS_REGISTRY, **others}


def _section_of(dataclass: Any) -> str:
    kind = dataclass if isinstance(dataclass, type) else type(dataclass)
    for name, registry in _registries().items():  # which may hold a subclass of fairseq's, with keys added
        if any(isinstance(each, type) and issubclass(each, kind) for each in registry.values()):
            return name
    return "config"
