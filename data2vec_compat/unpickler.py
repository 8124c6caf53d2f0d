"""An unpickler that makes what it is allowed to, and nothing else; for torch before 2.6.

There the weights-only loader knows no classes but torch's own. This one is handed to `torch.load` as its
`pickle_module`, and knows the same functions that rebuild tensors, and what a checkpoint of fairseq is made of.
"""

import pickle
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar, Dict, Iterable, Tuple

UNBOUNDED = ("bytearray", "_rebuild_device_tensor_from_cpu_tensor")
"""What torch's own list allows, and which takes any amount of memory for a few bytes; no checkpoint needs it."""

_InPython: Any = vars(pickle)["_Unpickler"]  # whose steps can be told apart, unlike those of the one in C


class RestrictedUnpickler(_InPython):
    """Python's own in Python; each step that could call something asks whether that is allowed.

    `allowed` maps names, as files write them, to what they stand for.
    """

    allowed: ClassVar[Dict[str, Any]] = {}
    dispatch: ClassVar[Dict[int, Any]] = dict(_InPython.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        """What a name stands for.

        Raises:
            pickle.UnpicklingError: it is not allowed; nothing is imported to find out.
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
        # the state of an instance; a class or a function must stay what it is
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
    """What `torch.load` takes for a pickle module, with an unpickler that knows torch's own entries and `wanted`."""
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
    """Stands for `_codecs.encode`, by which bytes are pickled.

    Raises:
        pickle.UnpicklingError: another encoding is asked for.
    """
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"_codecs.encode with {encoding!r} is not allowed")
    return text.encode(encoding)
