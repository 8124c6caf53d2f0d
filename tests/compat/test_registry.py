"""What is armed: each patch runs once, and is told what became of it; what it puts in place is seen by one module."""

import dataclasses
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from data2vec_compat.proxy import ModuleProxy
from data2vec_compat.registry import FAILED, NOT_NEEDED, Patch

fairseq = pytest.importorskip("fairseq")


def test_every_patch_was_applied_or_not_needed(run_python: Any) -> None:
    """In an interpreter of its own: pytest has imported hydra before our finder could look."""
    done = run_python(
        "import json, sys, data2vec_compat, fairseq, fairseq_cli.hydra_train; "
        "imported = [p for p in data2vec_compat.report() if p['module'] in sys.modules]; "
        "print(json.dumps([p for p in imported if p['state'] not in ('applied', 'not needed')]))",
        imported="torch",
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_failing_patch_is_recorded_and_breaks_nothing() -> None:
    def broken(module: ModuleType) -> bool:
        raise AttributeError("no such function")

    entry = Patch("x", "json", "test", broken)
    entry.run(dataclasses)
    assert (entry.state, entry.detail) == (FAILED, "AttributeError: no such function")


def test_a_patch_runs_once() -> None:
    calls = []
    entry = Patch("x", "json", "test", lambda module: bool(calls.append(1)))
    entry.run(dataclasses)
    entry.run(dataclasses)
    assert (len(calls), entry.state) == (1, NOT_NEEDED)


def test_proxy_replaces_names_for_one_module_only() -> None:
    proxy = ModuleProxy(np, int=int)
    assert proxy.int is int
    assert proxy.zeros is np.zeros
    assert {"int", "zeros"} <= set(dir(proxy))
