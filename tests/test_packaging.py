"""What an installation brings: the `.pth`, the recipes, the command, and nobody's torch."""

import re
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path
from typing import List, Set

import pytest

from data2vec_plugin import __version__ as VERSION
from data2vec_plugin.doctor.remedies import for_package

ROOT = Path(__file__).resolve().parent.parent
NAME = "data2vec-fairseq"
MOVES_THE_USERS = {"torch", "torchaudio", "torchvision", "fairseq", "hydra-core", "omegaconf", "numpy"}


def requirements() -> List[str]:
    return metadata.requires(NAME) or []


def names(lines: List[str]) -> Set[str]:
    return {re.split(r"[^\w.-]", line, maxsplit=1)[0].lower() for line in lines}


def test_pth_is_in_site_packages() -> None:
    files = [file for file in metadata.files(NAME) or [] if file.name == "data2vec_compat.pth"]
    assert [str(file) for file in files] == ["data2vec_compat.pth"]
    assert files[0].read_text() == (ROOT / "data2vec_compat.pth").read_text()


def test_moves_nothing_of_the_users() -> None:
    hard = [line for line in requirements() if "extra ==" not in line]
    assert not names(hard) & MOVES_THE_USERS


def test_version_is_said_once() -> None:
    assert f"\nversion: {VERSION}\n" in (ROOT / "CITATION.cff").read_text()
    first = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert first is not None
    assert first.group(1) == VERSION


def test_command() -> None:
    scripts = metadata.entry_points()
    if hasattr(scripts, "select"):
        found = list(scripts.select(group="console_scripts", name="data2vec"))
    else:  # Python 3.9
        found = [script for script in scripts["console_scripts"] if script.name == "data2vec"]
    assert {script.value for script in found} == {"data2vec_plugin.cli.main:main"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the sources, without the network."""
    pytest.importorskip("setuptools", minversion="70.1")  # builds wheels by itself
    folder = tmp_path_factory.mktemp("wheel")
    skipped = shutil.ignore_patterns(".*", "outputs", "*.egg-info", "__pycache__", "build")
    shutil.copytree(ROOT, folder / "source", ignore=skipped)
    subprocess.run(
        [sys.executable, "setup.py", "-q", "bdist_wheel", "--dist-dir", str(folder)],
        cwd=folder / "source",
        check=True,
        capture_output=True,
    )
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def wheel(built: Path) -> Set[str]:
    """The files in it."""
    with zipfile.ZipFile(built) as archive:
        return set(archive.namelist())


def test_wheel_has_the_pth_at_its_root(wheel: Set[str]) -> None:
    assert "data2vec_compat.pth" in wheel


def test_wheel_has_every_module(wheel: Set[str]) -> None:
    paths = [*ROOT.glob("data2vec_plugin/**/*.py"), *ROOT.glob("data2vec_compat/**/*.py")]
    assert {path.relative_to(ROOT).as_posix() for path in paths} <= wheel


def test_wheel_has_every_recipe(wheel: Set[str]) -> None:
    recipes = [path.relative_to(ROOT).as_posix() for path in (ROOT / "configs").rglob("*.yaml")]
    assert {f"data2vec_plugin/{recipe}" for recipe in recipes} <= wheel


def test_wheel_has_nothing_else(wheel: Set[str]) -> None:
    roots = {name.split("/")[0] for name in wheel}
    assert roots == {
        "data2vec_plugin",
        "data2vec_compat",
        "data2vec_compat.pth",
        f"data2vec_fairseq-{VERSION}.dist-info",
    }


def test_pinned_trio_matches() -> None:
    text = (ROOT / "requirements" / "torch.txt").read_text()
    torch, audio, vision = (
        re.findall(rf"^{name}==(\S+);", text, re.M) for name in ("torch", "torchaudio", "torchvision")
    )
    assert torch == audio
    for each, matching in zip(torch, vision):
        assert for_package("torchvision", each).endswith(f" torchvision=={matching}")


def test_makefile_stays_small() -> None:
    targets = re.findall(r"^([a-z%-]+):.*##", (ROOT / "Makefile").read_text(), re.M)
    assert len(targets) <= 16
    assert {"help", "install", "test", "check", "smoke", "quickstart"} <= set(targets)


USERS = {
    "fairseq": "0.12.2",
    "hydra-core": "1.0.7",
    "numpy": "1.26.4",
    "omegaconf": "2.0.6",
    "rich": "13.0.0",
    "torch": "2.1.2",
    "tqdm": "4.60.0",
}


def test_installing_beside_a_fairseq_moves_nothing(built: Path, tmp_path: Path) -> None:
    """Real pip in an environment whose packages are there by name and version only."""
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    python = str(tmp_path / "env" / "bin" / "python")
    (site,) = (tmp_path / "env").glob("lib/python*/site-packages")
    for name, version in USERS.items():
        record = site / f"{name.replace('-', '_')}-{version}.dist-info"
        record.mkdir()
        (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")

    def pip(*words: str) -> List[str]:
        done = subprocess.run([python, "-m", "pip", *words], check=True, capture_output=True, text=True)
        return done.stdout.splitlines()

    before = pip("freeze")
    pip("install", "--no-index", str(built))
    after = pip("freeze")
    assert before == [f"{name}=={version}" for name, version in USERS.items()]
    assert [line for line in after if not line.startswith(NAME)] == before
    assert (site / "data2vec_compat.pth").is_file()
    pip("uninstall", "-y", NAME)
    assert pip("freeze") == before
    assert not [path.name for path in site.iterdir() if path.name.startswith("data2vec")]
