"""Put each fault of the tables back into a copy of our code, and see that the tests notice.

python tests/faults/put_back.py           # all of them, two at a time
python tests/faults/put_back.py B7 B26    # some
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # as pytest has it

from faults.fault import Fault
from faults.parts import changed, find
from faults.table import FAULTS

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("benchmarks", "configs", "data2vec_compat", "data2vec_plugin", "examples", "tests")
FILES = ("CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "README.md", "pyproject.toml", "setup.py")
AT_ONCE = 2


def main() -> int:
    """Try the faults that were asked for; 1 if one of them passes unseen."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("names", nargs="*", metavar="FAULT", help="such as B7 (all)")
    wanted = set(parser.parse_args().names)
    unknown = wanted - {name for fault in FAULTS for name in fault.name.split()}
    if unknown:
        parser.error(f"no fault {', '.join(sorted(unknown))}; there are {', '.join(fault.name for fault in FAULTS)}")
    chosen = [fault for fault in FAULTS if not wanted or wanted & set(fault.name.split())]
    failing = fails_without(chosen)
    if failing:
        print(f"nothing was tried, because without any fault, too: {failing}")
        return 1
    unseen = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for fault, said in zip(chosen, pool.map(verdict, chosen)):
            print(f"{fault.name:8} {said}", flush=True)
            unseen += not said.startswith("noticed")
    print(f"{len(chosen) - unseen} of {len(chosen)} are noticed")
    return 1 if unseen else 0


def fails_without(faults: list[Fault]) -> str:
    """What pytest says of the tests that fail in a copy without any fault; empty if none does."""
    with tempfile.TemporaryDirectory(prefix="fault-") as folder:
        copy_tree(Path(folder))
        return failure(run(Path(folder), *dict.fromkeys(test for fault in faults for test in fault.tests)))


def verdict(fault: Fault) -> str:
    """What became of a fault: the first test that notices, or that none did."""
    with tempfile.TemporaryDirectory(prefix="fault-") as folder:
        copy_tree(Path(folder))
        put_back(Path(folder), fault)
        for test in fault.tests:
            failed = failure(run(Path(folder), test))
            if failed:
                return f"noticed: {failed}"
    return f"UNSEEN by {', '.join(fault.tests)}"


def failure(done: subprocess.CompletedProcess[str]) -> str:
    """What pytest says of the first test that failed; empty if all passed."""
    if not done.returncode:
        return ""
    lines = [*done.stderr.splitlines(), *done.stdout.strip().splitlines()]
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return (failed or [f"pytest ended with code {done.returncode}: {' '.join(lines[-1:])}"])[0]


def copy_tree(copy: Path) -> None:
    """What the tests need of the repository, without caches."""
    for name in COPIED:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, copy / name)


def put_back(copy: Path, fault: Fault) -> None:
    """Change the one place; raises ValueError if our code no longer holds it."""
    try:
        path, text = with_fault(ROOT, fault)  # not the copy, all of whose files would be parsed again
    except ValueError as error:
        raise ValueError(f"{fault.name}: {error}; say in its table in tests/faults what is there now") from error
    (copy / path.relative_to(ROOT)).write_text(text, "utf-8")


def with_fault(root: Path, fault: Fault) -> tuple[Path, str]:
    """The file that a fault belongs in, and its text with the fault; raises ValueError if there is no place for it."""
    if not fault.part.endswith(".yaml"):
        part = find(root, fault.part)
        return part.path, changed(part, fault.ours, fault.theirs)
    text = (root / fault.part).read_text("utf-8")
    if text.count(fault.ours) != 1:
        raise ValueError(f"{fault.part} holds {fault.ours!r} {text.count(fault.ours)} times, expected once")
    return root / fault.part, text.replace(fault.ours, fault.theirs)


def run(copy: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    """pytest on files or tests, up to the first failure, with the copy before whatever is installed."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-n", "0", *tests]
    environment = {**os.environ, "PYTHONPATH": str(copy), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main())
