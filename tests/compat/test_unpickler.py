"""The unpickler for old torch calls and changes what it is allowed to, and nothing else."""

import io
import pickle
from argparse import Namespace
from collections import OrderedDict
from typing import Any, Type

import pytest

from data2vec_compat.unpickler import RestrictedUnpickler, encode_latin1


class Unpickler(RestrictedUnpickler):
    """One that knows three names."""

    allowed = {  # noqa: RUF012
        "argparse.Namespace": Namespace,
        "collections.OrderedDict": OrderedDict,
        "builtins.set": set,
    }


def load(content: bytes) -> Any:
    return Unpickler(io.BytesIO(content)).load()


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_takes_what_is_allowed(protocol: int) -> None:
    value = {"a": Namespace(b=[1, 2.5, "c"]), "d": OrderedDict(e={1, 2})}
    assert load(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"cos\nsystem\n(S'true'\ntR.", r"GLOBAL os\.system"),
        (b"c__builtin__\neval\n(S'1'\ntR.", r"GLOBAL builtins\.eval"),  # Python 2's name for it
        (b"(S'true'\nios\nsystem\n.", r"GLOBAL os\.system"),
        (b"\x80\x04\x8c\x08argparse\x8c\x12Namespace.__init__\x93.", r"GLOBAL argparse\.Namespace\.__init__"),
        (b"cargparse\nNamespace\n(N}S'x'\nI1\nstb.", "class 'type'.* not allowed to be called or changed"),
        (b"(S'a'\nl)R.", "not allowed to be called or changed"),
    ],
    ids=["reduce", "python2", "instance", "attribute", "class_state", "list_called"],
)
def test_refuses_the_rest(content: bytes, reason: str) -> None:
    with pytest.raises(pickle.UnpicklingError, match=reason):
        load(content)


@pytest.mark.parametrize("opcode", [b"\x81", b"\x92"], ids=["newobj", "newobj_ex"])
def test_makes_no_instance_of_what_is_no_entry(opcode: bytes) -> None:
    arguments = b")" if opcode == b"\x81" else b")}"
    called = b"cargparse\nNamespace\n)\x81"  # an instance, where a class should be
    with pytest.raises(pickle.UnpicklingError, match="not allowed to be called"):
        load(b"\x80\x04" + called + arguments + opcode + b".")


def test_an_extension_is_a_name_like_another() -> None:
    import copyreg

    copyreg.add_extension("os", "system", 240)
    try:
        with pytest.raises(pickle.UnpicklingError, match=r"GLOBAL (os|posix)\.system"):
            load(b"\x80\x02\x82\xf0(X\x04\x00\x00\x00truetR.")
    finally:
        copyreg.remove_extension("os", "system", 240)


def test_bytes_are_encoded_in_one_way_only() -> None:
    assert encode_latin1("é", "latin1") == b"\xe9"
    with pytest.raises(pickle.UnpicklingError, match="zlib"):
        encode_latin1("x", "zlib")


def test_each_list_is_its_own() -> None:
    kind: Type[RestrictedUnpickler] = type("Other", (RestrictedUnpickler,), {"allowed": {}})
    with pytest.raises(pickle.UnpicklingError, match=r"argparse\.Namespace"):
        kind(io.BytesIO(pickle.dumps(Namespace()))).load()
