"""Where fairseq is extended, and that it is so once, wherever fairseq's command comes from."""

from __future__ import annotations

import ast
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, Iterator

import fairseq_cli.train
import pytest
from fairseq import trainer
from fairseq.model_parallel.megatron_trainer import MegatronTrainer
from sources import nodes

import data2vec_plugin
from data2vec_plugin.host.extensions import EXTENSIONS, MARK, Extension, extend_fairseq, put
from data2vec_plugin.host.training.trainer import Data2VecTrainer

PACKAGE = Path(data2vec_plugin.__file__).parent
SOURCES = [*PACKAGE.rglob("*.py"), *(PACKAGE.parent / "data2vec_compat").rglob("*.py")]
names = pytest.mark.parametrize("extension", EXTENSIONS, ids=lambda each: each.name)


def found(extension: Extension) -> Any:
    place: Any = import_module(extension.module)
    for name in extension.name.split("."):
        place = getattr(place, name)
    return place


@names
def test_each_place_holds_ours_once(extension: Extension) -> None:
    before = found(extension)
    assert getattr(before, MARK)
    assert not hasattr(before.__wrapped__, MARK)
    extend_fairseq()
    assert found(extension) is before


@names
def test_no_place_is_extended_twice(extension: Extension) -> None:
    assert [(each.module, each.name) for each in EXTENSIONS].count((extension.module, extension.name)) == 1
    short = extension.name.rpartition(".")[2]
    assert short == "__init__" or not list(assignments(short)), "only host/extensions.py puts ours into its place"


def assignments(name: str) -> Iterator[str]:
    """Where a module of ours, or of data2vec_compat, sets an attribute of such a name.

    But for the one that waits for a checkpoint of ours where nobody has imported the plugin, and then makes way.
    """
    for path in SOURCES:
        if path.name == "python_loading.py":
            continue
        for node in nodes(path):
            for target in getattr(node, "targets", ()):
                if isinstance(target, ast.Attribute) and target.attr == name:
                    yield f"{path}:{node.lineno}"  # type: ignore[attr-defined]


def test_fairseqs_trainer_has_one_subclass_of_ours_and_stays_as_it_is() -> None:
    below = [kind for kind in trainer.Trainer.__subclasses__() if kind.__module__.startswith("data2vec_plugin")]
    assert below == [Data2VecTrainer]
    assert not issubclass(MegatronTrainer, Data2VecTrainer)
    methods = [value for value in vars(trainer.Trainer).values() if callable(value)]
    assert {method.__globals__["__name__"] for method in methods if hasattr(method, "__globals__")} <= {
        "fairseq.trainer",
        "contextlib",  # train_step and valid_step, within a context of fairseq's metrics
    }


def test_a_command_that_is_the_program_itself_is_extended(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `python -m fairseq_cli.train` is: a module of that name is imported as well, and trains nothing."""
    program: Any = ModuleType("__main__")
    program.__file__ = fairseq_cli.train.__file__
    seen: Dict[str, Any] = {"Trainer": trainer.Trainer, "train": fairseq_cli.train.train.__wrapped__}
    exec("def main(): return Trainer, train", seen)
    program.main = seen["main"]
    monkeypatch.setitem(sys.modules, "__main__", program)
    extend_fairseq()
    assert all(getattr(each, MARK) for each in program.main())


def test_a_stock_class_is_not_changed_by_what_takes_its_place() -> None:
    class Stock:
        pass

    names: Dict[str, Any] = {"Trainer": Stock}
    put(EXTENSIONS[0], names)
    assert names["Trainer"] is not Stock
    assert names["Trainer"].__wrapped__ is Stock
    assert not hasattr(Stock, MARK)
