"""fairseq's own tests are run on the installed fairseq, and what they say is counted."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest
from hosts import fairseq_tests, matrix

LOOKS_FOR_FAIRSEQ = """
import importlib.util, os, pytest, signal, time

def test_the_checkout_is_not_found():
    assert "checkout" not in (importlib.util.find_spec("fairseq").origin or "")

def test_examples_are():
    import examples.kind
    assert examples.kind.__file__.startswith(os.getcwd())

def test_an_interrupt_is_heeded():
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)

def test_no_gpu_is_seen():
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    for path, text in {
        "fairseq/version.txt": f"{fairseq_tests.VERSION}\n",
        "fairseq/__init__.py": "",
        "examples/kind.py": "",
        "scripts/average.py": "",
        "tests/__init__.py": "",
        "tests/test_places.py": LOOKS_FOR_FAIRSEQ,
        "tests/test_hf_hub.py": "def test_download():\n    assert False\n",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    (folder / "examples" / "link").symlink_to("nowhere")  # as there are in fairseq's
    return folder


def test_on_the_installed_fairseq(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fairseq")
    monkeypatch.setattr(fairseq_tests, "TESTS", ("-q", "-p", "no:cacheprovider"))
    copy = tmp_path / "copy"
    fairseq_tests.copy_tests(checkout, copy)
    heeded = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as where a shell runs this in its background
    try:
        counts = fairseq_tests.run_tests(Path(sys.executable), copy, tmp_path / "log")
    finally:
        signal.signal(signal.SIGINT, heeded)
    assert counts == "4 passed, 1 deselected", (tmp_path / "log").read_text()


def test_a_checkout_of_another_version_is_refused(checkout: Path) -> None:
    assert fairseq_tests.checkout_error(checkout) == ""
    (checkout / "fairseq" / "version.txt").write_text("0.12.3\n")
    assert fairseq_tests.checkout_error(checkout).endswith(
        "is fairseq 0.12.3; check out v0.12.2, whose tests these are"
    )
    assert fairseq_tests.checkout_error(checkout.parent).endswith("it has no fairseq/version.txt")


def test_rows_are_the_matrixs() -> None:
    assert [host.name for host in matrix.rows(["3.13", "3.9-old"])] == ["3.9-old", "3.13"]
    assert len(matrix.rows([])) == len(matrix.HOSTS)
    assert matrix.unknown_rows(["3.13"]) == ""
    assert matrix.unknown_rows(["3.8", "3.13"]).startswith("no row 3.8; there are 3.9-old, ")


def test_each_test_is_left_out_once() -> None:
    names = [test for entry in fairseq_tests.LEFT_OUT for test in entry.tests]
    assert len(names) == len(set(names))
    assert all(name.startswith("tests/") for name in names)
