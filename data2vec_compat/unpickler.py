"""An unpickler that only creates allowed objects; for torch before 2.6.

There the weights-only loader knows only torch's own classes. This one is passed to `torch.load` as its `pickle_module`;
it knows the same functions that rebuild tensors, and the classes of fairseq checkpoints.
"""

import pickle
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar, Dict, Iterable, Tuple

UNBOUNDED = ("bytearray", "_rebuild_device_tensor_from_cpu_tensor")
"""Functions that torch's own list allows, but that turn a few bytes into any amount of memory; no checkpoint needs
them."""

_InPython: Any = vars(pickle)["_Unpickler"]  # its steps can be overridden, unlike those of the C implementation


class RestrictedUnpickler(_InPython):
    """The unpickler of the standard library written in Python; each step that could call something checks whether it is
    allowed.

    `allowed` maps the names in files to objects.
    """

    allowed: ClassVar[Dict[str, Any]] = {}
    dispatch: ClassVar[Dict[int, Any]] = dict(_InPython.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        """The object for a name.

        Raises:
            pickle.UnpicklingError: the name is not allowed; nothing is imported to check this.
        """
        if self.proto < 3:  # names of Python 2
            module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
        known = f"{module}.{name}"
        if known not in self.allowed:
            raise pickle.UnpicklingError(f"GLOBAL {known} is not allowed")
        return self.allowed[known]

    def load_reduce(self) -> None:
        self._check(self.stack[-2])
        super().load_reduce()

    def load_newobj(self) -> None:
        self._check(self.stack[-2])
        super().load_newobj()

    def load_newobj_ex(self) -> None:
        self._check(self.stack[-3])
        super().load_newobj_ex()

    def load_build(self) -> None:
        # the state of an instance; classes and functions must not be changed
        self._check(type(self.stack[-2]))
        super().load_build()

    def _instantiate(self, klass: Any, args: Any) -> None:
        self._check(klass)
        super()._instantiate(klass, args)

    def _check(self, called: Any) -> None:
        if not any(called is entry for entry in self.allowed.values()):
            raise pickle.UnpicklingError(f"{called!r} is not allowed to be called or changed")

    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.NEWOBJ[0]] = load_newobj
    dispatch[pickle.NEWOBJ_EX[0]] = load_newobj_ex
    dispatch[pickle.BUILD[0]] = load_build


def pickle_module(torch: ModuleType, wanted: Iterable[Tuple[Any, str]]) -> Any:
    """A pickle module for `torch.load`, with an unpickler that knows torch's own entries and `wanted`."""
    from torch._weights_only_unpickler import _get_allowed_globals

    own = {"torch.Size": torch.Size, "torch.device": torch.device, "_codecs.encode": encode_latin1}
    entries = {**_get_allowed_globals(), **own, **{name: found for found, name in wanted}}
    for name in UNBOUNDED:
        entries.pop(f"torch._utils.{name}", None)

    class Unpickler(RestrictedUnpickler):
        allowed = entries

    def load(file: Any, **options: Any) -> Any:
        return Unpickler(file, **options).load()

    return SimpleNamespace(__name__=__name__, Unpickler=Unpickler, load=load)


def encode_latin1(text: str, encoding: str = "latin1") -> bytes:
    """Replaces `_codecs.encode`, with which bytes are pickled.

    Raises:
        pickle.UnpicklingError: another encoding is requested.
    """
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"_codecs.encode with {encoding!r} is not allowed")
    return text.encode(encoding)
