"""Run the tests on every Python, torch, NumPy and hydra that is supported, as far as interpreters are found.

make matrix                          # all rows; environments are kept in .hosts/ for the next time
make matrix HOSTS="3.9-old 3.13"     # some of them
make test-main FAIRSEQ=PATH          # a checkout of fairseq's main branch instead of the release
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".hosts"
OLD_STACK = ("hydra-core==1.0.7", "omegaconf==2.0.6")
NEW_STACK = ("hydra-core>=1.3,<1.4", "omegaconf>=2.3,<2.4")
NEEDED = ("bitarray", "cffi", "cython", "regex", "sacrebleu>=1.4.12", "tqdm", "setuptools<81", "wheel")
NEEDED_BY_MAIN = ("packaging", "scikit-learn")
RELEASE = "fairseq==0.12.2"
HELD = ("torch", "torchaudio", "torchvision", "fairseq", "hydra-core", "omegaconf")
"""What no extra may move either; NumPy and others may, within what the row asks for."""
TESTS = ("-q", "-n", "3", "--dist", "loadgroup", "-m", "not source", "-p", "no:cacheprovider")
SHOW_VERSIONS = (
    "import json, platform, torch, numpy, hydra, omegaconf; "
    "print(json.dumps([platform.python_version(), torch.__version__.split('+')[0], numpy.__version__, "
    "hydra.__version__, omegaconf.__version__]))"
)


@dataclass(frozen=True)
class Host:
    """One row: an interpreter and what is installed into it, in this order."""

    name: str
    python: str
    torch: tuple[str, ...]
    stack: tuple[str, ...]


HOSTS = (  # the first without torchvision, which speech and text do not need
    Host("3.9-old", "3.9", ("torch==2.1.2", "torchaudio==2.1.2", "numpy<2"), OLD_STACK),
    Host("3.9", "3.9", ("torch==2.8.0", "torchaudio==2.8.0", "torchvision==0.23.0", "numpy>=2"), NEW_STACK),
    Host("3.11-old", "3.11", ("torch==2.1.2", "torchaudio==2.1.2", "torchvision==0.16.2", "numpy<2"), OLD_STACK),
    Host("3.11", "3.11", ("torch==2.11.0", "torchaudio==2.11.0", "torchvision==0.26.0", "numpy>=2"), NEW_STACK),
    Host("3.13", "3.13", ("torch==2.15.0", "torchaudio==2.11.1", "torchvision==0.29.2", "numpy>=2"), NEW_STACK),
)


@dataclass
class Result:
    """What became of a row."""

    host: Host
    versions: tuple[str, ...]
    outcome: str
    seconds: float

    @property
    def good(self) -> bool:
        """Whether all tests passed, or there was no interpreter to run them."""
        return "failed" not in self.outcome and "error" not in self.outcome


def find_python(version: str) -> str | None:
    """An interpreter of a version such as 3.11: on the path, or one of pyenv's."""
    pyenv = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"), reverse=True)
    for candidate in (f"python{version}", *map(str, pyenv), sys.executable):
        path = shutil.which(candidate)
        if path and _version(path) == version:
            return path
    return None


def _version(python: str) -> str:
    show = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([python, "-c", show], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def prepare(host: Host, python: str, fairseq: Path | None) -> Path:
    """Make the row's environment, or bring the one that is there up to date; returns its interpreter."""
    folder = FOLDER / (f"{host.name}-main" if fairseq else host.name)
    own, stamp = folder / "bin" / "python", folder / ".ready"
    if not stamp.is_file():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([python, "-m", "venv", str(folder)], check=True)
        install_host(host, own, fairseq)
        install_beside(host, own)
        stamp.touch()
    before = {line for line in freeze(own) if name_of(line) in HELD}
    pip(own, "-e", f"{ROOT}[audio,text,image,dev]", *numpy_of(host), *host.stack, *transformers_of(host))
    refuse_moved(host, before - freeze(own))
    return own


def install_host(host: Host, own: Path, fairseq: Path | None) -> None:
    """torch, what fairseq needs, and fairseq itself."""
    pip(own, *host.torch)
    pip(own, *NEEDED, *(NEEDED_BY_MAIN if fairseq else ()), *host.stack, *numpy_of(host))
    build = ("--no-build-isolation",) if fairseq else ()
    pip(own, "--no-deps", *build, str(fairseq) if fairseq else RELEASE)


def install_beside(host: Host, own: Path) -> None:
    """The plugin into a fairseq set-up that is there already: it must not move anything."""
    before = freeze(own)
    pip(own, f"{ROOT}[audio]")
    refuse_moved(host, before - freeze(own))


def refuse_moved(host: Host, moved: set[str]) -> None:
    """End where the plugin or its extras moved something."""
    if moved:
        raise SystemExit(f"{host.name}: installing the plugin moved {', '.join(sorted(moved))}")


def transformers_of(host: Host) -> list[str]:
    """One that torch 2.1, which imports whatever transformers there is, can import."""
    return ["transformers<4.45"] if "torch==2.1.2" in host.torch else []


def numpy_of(host: Host) -> list[str]:
    """The row's NumPy, for pip to keep to."""
    return [word for word in host.torch if word.startswith("numpy")]


def pip(python: Path, *words: str) -> None:
    """Install, without changing pip itself: its newest refuses the metadata of omegaconf 2.0."""
    subprocess.run([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *words], check=True)


def freeze(python: Path) -> set[str]:
    """What is installed, and in which version."""
    words = [str(python), "-m", "pip", "freeze", "--disable-pip-version-check"]
    return set(subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines())


def name_of(line: str) -> str:
    """The package of a line of `pip freeze`: `torch==2.11.0`, `fairseq @ file:///…`."""
    return re.split(r"[ =@]", line, maxsplit=1)[0].lower().replace("_", "-")


def test(host: Host, fairseq: Path | None, selected: list[str]) -> Result:
    """Prepare a row and run the tests in it."""
    started = time.monotonic()
    python = find_python(host.python)
    if python is None:
        return Result(host, (host.python, "-", "-", "-", "-"), "no such interpreter", 0)
    own = prepare(host, python, fairseq)
    log = FOLDER / f"{own.parents[1].name}.log"
    environment = {**os.environ, "PATH": f"{own.parent}{os.pathsep}{os.environ['PATH']}"}
    with log.open("w") as output:
        command = [str(own), "-m", "pytest", *TESTS, *selected]
        subprocess.run(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, env=environment, check=False)
    return Result(host, versions_of(own), outcome(log), time.monotonic() - started)


def versions_of(python: Path) -> tuple[str, ...]:
    """Of Python, torch, NumPy, hydra and omegaconf."""
    done = subprocess.run([str(python), "-c", SHOW_VERSIONS], capture_output=True, text=True, check=True, cwd=FOLDER)
    return tuple(json.loads(done.stdout))


def outcome(log: Path) -> str:
    """pytest's closing line without its decoration and its time."""
    lines = [
        line for line in log.read_text(errors="replace").splitlines() if re.search(r"\d (passed|failed|error)", line)
    ]
    return re.sub(r" in [\d.]+s.*| \d+ warnings?,?|=+ ?", "", lines[-1]).strip(" ,") if lines else "error: see the log"


def show(results: list[Result]) -> None:
    """Print the table as the README has it."""
    print("\n| Python | torch | NumPy | hydra | omegaconf | tests |\n| --- | --- | --- | --- | --- | --- |")
    for result in results:
        print(f"| {' | '.join(result.versions)} | {result.outcome} |")


def unknown_rows(names: list[str]) -> str:
    """Says which names are no rows; empty if all are."""
    wrong = set(names) - {host.name for host in HOSTS}
    known = ", ".join(host.name for host in HOSTS)
    return f"no row {', '.join(sorted(wrong))}; there are {known}" if wrong else ""


def rows(names: list[str]) -> list[Host]:
    """The rows of these names, in the table's order; all without a name."""
    return [host for host in HOSTS if not names or host.name in names]


def main() -> int:
    """Run the rows that were asked for; 1 if a test failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("hosts", nargs="*", help=f"which rows: {', '.join(host.name for host in HOSTS)} (all)")
    parser.add_argument("--fairseq", type=Path, help="a checkout of fairseq instead of the release")
    parser.add_argument("--tests", nargs="*", default=[], help="what pytest is to run (everything)")
    args = parser.parse_args()
    if unknown_rows(args.hosts):
        parser.error(unknown_rows(args.hosts))
    if args.fairseq and not (args.fairseq / "fairseq" / "version.txt").is_file():
        parser.error(f"{args.fairseq} is no checkout of fairseq: it has no fairseq/version.txt")
    FOLDER.mkdir(exist_ok=True)
    results = []
    for host in rows(args.hosts):
        print(f"{host.name}: tests run, log in {FOLDER.name}/", flush=True)
        results.append(test(host, args.fairseq and args.fairseq.resolve(), args.tests))
        print(f"  {results[-1].outcome}, {results[-1].seconds:.0f} s", flush=True)
    show(results)
    return 0 if all(result.good for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
