"""Install the packages in dist/ into empty environments, and use what they bring.

make dist HOSTS="3.11 3.13"          # builds them, then each on these rows of tests/hosts/matrix.py
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from .matrix import (
    FOLDER,
    HELD,
    ROOT,
    Host,
    find_python,
    freeze,
    install_host,
    name_of,
    pip,
    refuse_moved,
    rows,
    unknown_rows,
)

DIST = ROOT / "dist"
NAME = "data2vec-fairseq"
EXTRAS = "audio,text,image"
IMPORT_ALL = """
import importlib, pkgutil, sys, fairseq, data2vec_compat, data2vec_plugin
names = [module.name for package in (data2vec_compat, data2vec_plugin)
         for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
waiting = []
for name in names:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in sys.argv[1:]:
            raise
        waiting.append(name)
print(f"{len(names) - len(waiting)} of {len(names)} modules of {data2vec_plugin.__version__} are imported")
"""
"""All modules of both packages; those named behind it may be missing."""
OPTIONAL = ("soundfile", "soxr", "editdistance", "regex", "sklearn", "scipy", "sentencepiece", "PIL")
RECIPES = "import data2vec_plugin.files.recipe_tree as tree; print(tree.recipes_folder())"


def check(host: Host) -> None:
    """Try the wheel, then the source archive, in one environment of a row, which is removed afterwards."""
    python = find_python(host.python)
    if python is None:
        raise SystemExit(f"{host.name}: no Python {host.python} is found")
    folder = FOLDER / f"packages-{host.name}"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        subprocess.run([python, "-m", "venv", str(folder)], check=True)
        own = folder / "bin" / "python"
        install_host(host, own, None)
        for package in packages():
            print(f"{host.name}: {package.name}", flush=True)
            try_package(host, own, package)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def packages() -> list[Path]:
    """The wheel and the source archive of dist/."""
    found = [path for ending in ("*.whl", "*.tar.gz") for path in DIST.glob(ending)]
    if len(found) != 2:
        raise SystemExit(f"{DIST} must hold one wheel and one .tar.gz, as `make dist` makes them; found {len(found)}")
    return found


def try_package(host: Host, own: Path, package: Path) -> None:
    """Install one, run what it brings, remove it; raises where a command fails, or something else was moved or left."""
    before = freeze(own)
    pip(own, str(package))
    work = own.parents[1] / "empty"
    work.mkdir(exist_ok=True)
    recipes = call(own, work, "python", "-c", RECIPES).strip()
    say(own, work, "data2vec", "recipes")
    say(own, work, "fairseq-hydra-train", "--help")
    composed = ("--config-dir", recipes, "--config-name", "audio_base", "task.data=DATA", "--cfg", "job")
    say(own, work, "fairseq-hydra-train", *composed)
    say(own, work, "python", "-c", IMPORT_ALL, *OPTIONAL)
    pip(own, f"{package}[{EXTRAS}]")
    refuse_moved(host, {line for line in before - freeze(own) if name_of(line) in HELD})
    say(own, work, "python", "-c", IMPORT_ALL)
    say(own, work, "data2vec", "doctor")  # which misses soundfile without the extra
    subprocess.run([str(own), "-m", "pip", "uninstall", "-q", "-y", NAME], check=True)
    left = [path.name for path in own.parents[1].glob("lib/python*/site-packages/data2vec*")]
    if left:
        raise SystemExit(f"{host.name}: uninstalling {package.name} left {', '.join(left)}")


def say(own: Path, work: Path, *command: str) -> None:
    """Run a command, and show its last line."""
    last = call(own, work, *command).strip().splitlines()[-1]
    print(f"  {' '.join(command[:2])}: {last}", flush=True)


def call(own: Path, work: Path, *command: str) -> str:
    """What a command of the environment prints, run where there is nothing of the checkout."""
    environment = {**os.environ, "PATH": f"{own.parent}{os.pathsep}{os.environ['PATH']}"}
    words = [str(own.parent / command[0]), *command[1:]]
    done = subprocess.run(words, cwd=work, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"`{' '.join(command)}` ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def main() -> int:
    """Try the packages on each row that was named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("hosts", nargs="+", help="rows of tests/hosts/matrix.py, such as 3.11 and 3.13")
    args = parser.parse_args()
    if unknown_rows(args.hosts):
        parser.error(unknown_rows(args.hosts))
    FOLDER.mkdir(exist_ok=True)
    os.environ.pop("PYTHONPATH", None)  # by which pip would find a checkout installed
    for host in rows(args.hosts):
        check(host)
    return 0


if __name__ == "__main__":
    sys.exit(main())
