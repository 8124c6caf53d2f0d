"""Run fairseq 0.12.2's own tests on the installed fairseq with the patches of data2vec_compat, nothing else of ours.

make test-fairseq FAIRSEQ=PATH                         # in .venv; PATH: a checkout of fairseq's tag v0.12.2
make test-fairseq FAIRSEQ=PATH HOSTS="3.9-old 3.13"    # in environments of the matrix instead
DATA2VEC_COMPAT=0 make test-fairseq FAIRSEQ=PATH       # without the patches
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from hosts import matrix

VERSION = matrix.RELEASE.split("==")[1]
COPIED = ("tests", "examples", "scripts")
"""Tests import what stands beside them, too; the checkout's fairseq itself must not be found."""
TESTS = (*matrix.TESTS, "-W", "ignore", "--tb", "short", "--continue-on-collection-errors")
ON_A_CPU = {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", "MKL_CBWR": "COMPATIBLE"}
"""MKL computes alike for all shapes: tests compare one position with all positions to 1e-6, while its fastest kernels
differ by more on some processors. Without patches torch 2.1 would use oneDNN instead."""


@dataclass(frozen=True)
class LeftOut:
    """Tests, as pytest names them, that cannot pass here whatever fairseq does; a folder stands for its tests."""

    why: str
    tests: tuple[str, ...]


LEFT_OUT = (
    LeftOut("it needs a GPU", ("tests/gpu/",)),
    LeftOut("it downloads models", ("tests/speech/", "tests/test_hf_hub.py")),
    LeftOut("it needs xformers", ("tests/test_multihead_attention.py::test_xformers_single_forward_parity",)),
    LeftOut(
        "it needs a transformers that still has Transformer-XL",
        ("tests/test_binaries.py::TestLanguageModeling::test_transformer_xl_bptt_lm",),
    ),
    LeftOut(
        "its model begins with uninitialised memory, which makes it fail at random",
        ("tests/test_binaries.py::TestTranslation::test_multilingual_translation_latent_depth",),
    ),
    LeftOut("it needs iopath", ("tests/test_file_io.py::TestFileIO::test_file_io_async",)),
)


def copy_tests(checkout: Path, folder: Path) -> None:
    """Put the checkout's tests into a folder where Python finds the installed fairseq rather than the checkout's."""
    for name in COPIED:
        shutil.copytree(checkout / name, folder / name, symlinks=True)  # some of fairseq's lead nowhere


def run_tests(python: Path, folder: Path, log: Path) -> str:
    """Run all but what is left out; returns pytest's counts."""
    left_out = [f"--deselect={test}" for entry in LEFT_OUT for test in entry.tests]
    environment = {**os.environ, **ON_A_CPU}
    with log.open("w") as output:
        command = [str(python), "-m", "pytest", *TESTS, *left_out, "tests"]
        subprocess.run(
            command,
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            check=False,
            preexec_fn=heed_interrupts,
        )
    return matrix.outcome(log)


def heed_interrupts() -> None:
    """Undo what a shell does to programs in its background: a test of fairseq's interrupts itself."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test(python: Path, host: matrix.Host, checkout: Path) -> matrix.Result:
    """Run the tests in one environment."""
    started = time.monotonic()
    log = matrix.FOLDER / f"{host.name}-fairseq.log"
    print(f"{host.name}: fairseq's tests run, log in {matrix.FOLDER.name}/{log.name}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        copy_tests(checkout, Path(folder))
        outcome = run_tests(python, Path(folder), log)
    result = matrix.Result(host, matrix.versions_of(python), outcome, time.monotonic() - started)
    print(f"  {result.outcome}, {result.seconds:.0f} s", flush=True)
    return result


def environments(names: list[str]) -> list[tuple[Path, matrix.Host]]:
    """Interpreters of the rows that were asked for, made where there are none yet; without a name, this one."""
    if not names:
        return [(Path(sys.executable), matrix.Host("here", "", (), ()))]
    found = []
    for host in matrix.rows(names):
        python = matrix.find_python(host.python)
        if python is None:
            raise SystemExit(f"{host.name}: there is no Python {host.python} to make its environment with")
        found.append((matrix.prepare(host, python, None), host))
    return found


def checkout_error(checkout: Path) -> str:
    """What is wrong with the checkout; empty if nothing is."""
    version = checkout / "fairseq" / "version.txt"
    if not version.is_file():
        return f"{checkout} is no checkout of fairseq: it has no fairseq/version.txt"
    found = version.read_text().strip()
    return "" if found == VERSION else f"{checkout} is fairseq {found}; check out v{VERSION}, whose tests these are"


def main() -> int:
    """Run them in each environment that was asked for; 1 if a test failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("hosts", nargs="*", help="rows of the matrix (the environment that this runs in)")
    parser.add_argument("--fairseq", type=Path, required=True, help=f"a checkout of fairseq's tag v{VERSION}")
    args = parser.parse_args()
    fault = matrix.unknown_rows(args.hosts) or checkout_error(args.fairseq)
    if fault:
        parser.error(fault)
    matrix.FOLDER.mkdir(exist_ok=True)
    for entry in LEFT_OUT:
        print(f"left out, {entry.why}: {', '.join(entry.tests)}")
    results = [test(python, host, args.fairseq.resolve()) for python, host in environments(args.hosts)]
    matrix.show(results)
    return 0 if all(result.good for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
