"""`data2vec doctor`: runs whatever is broken, and names the command that mends it."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import pytest

from data2vec_plugin.doctor import examination, remedies

HEALTHY: Dict[str, Any] = {
    "packages": {
        name: {"version": version, "error": None}
        for name, version in {
            "torch": "2.11.0+cu130",
            "torchaudio": "2.11.0",
            "torchvision": "0.26.0",
            "numpy": "2.4.6",
            "omegaconf": "2.3.1",
            "hydra": "1.3.8",
            "soundfile": "0.14.0",
            "soxr": "1.1.0",
            "editdistance": "0.8.1",
            "flashlight.lib.text.decoder": "0.0.7",
            "PIL": "13.0.0",
        }.items()
    },
    "gpus": {"names": ["A GPU"], "cuda": "13.0"},
    "fairseq": {
        "version": "0.12.2",
        "error": None,
        "seconds": 1.0,
        "flavour": "release",
        "path": "/x/fairseq",
        "extensions": {"fairseq.data.data_utils_fast": None},
    },
    "shim": {
        "active": ".pth",
        "patches": [
            {"name": "a", "module": "m", "why": "w", "state": "applied", "detail": ""},
            {"name": "a", "module": "n", "why": "w", "state": "not needed", "detail": ""},
        ],
    },
    "plugin": {"error": None},
}


def examine(*path: str, **changed: Any) -> List[examination.Finding]:
    """Findings if one part of a healthy installation is otherwise; only those not ok."""
    probed = copy.deepcopy(HEALTHY)
    part = probed
    for key in path:
        part = part[key]
    part.update(changed)
    return [finding for finding in examination.examine(probed) if finding.state != examination.OK]


def run_doctor(*arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "data2vec_plugin.cli.main", "doctor", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **env},
        check=False,
    )


def test_here_training_can_start() -> None:
    pytest.importorskip("fairseq")
    done = run_doctor("--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["training_can_start"]) == (0, True), done.stdout
    of_some = ("evaluated strings", "options of ")  # in modules that other commands import
    of_all = [patch for patch in report["patches"] if not patch["name"].startswith(of_some)]
    assert {patch["state"] for patch in of_all} <= {"applied", "not needed"}
    assert all(patch["why"] for patch in report["patches"])


def test_fairseq_broken(tmp_path: Path) -> None:
    """A fairseq that ends the interpreter while it is imported."""
    (tmp_path / "fairseq_cli").mkdir()
    (tmp_path / "fairseq_cli" / "__init__.py").write_text("import os; os._exit(3)\n")
    done = run_doctor(PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "exited with code 3" in " ".join(done.stdout.split())


def test_fairseq_lacks_a_dependency(tmp_path: Path) -> None:
    (tmp_path / "fairseq_cli").mkdir()
    (tmp_path / "fairseq_cli" / "__init__.py").write_text("import bitarray_gone.sub\n")
    done = run_doctor(PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "fairseq: pip install bitarray_gone" in done.stdout


def test_doctor_itself_imports_neither_torch_nor_fairseq() -> None:
    code = (
        "import sys; from data2vec_plugin.cli.main import build_parser; build_parser('doctor');"
        "print({'torch', 'fairseq', 'numpy', 'hydra'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_healthy_installation_has_nothing_to_mend() -> None:
    assert examine() == []


def test_beam_search_says_what_to_install_or_which_python_to_use(monkeypatch: pytest.MonkeyPatch) -> None:
    probed = copy.deepcopy(HEALTHY)
    probed["packages"]["flashlight.lib.text.decoder"]["version"] = None

    def found(*version: int) -> examination.Finding:
        monkeypatch.setattr(sys, "version_info", (*version, 0))
        return next(each for each in examination.examine(probed) if each.what == "flashlight-text")

    assert found(3, 11).found.endswith("(needed for beam search only): pip install flashlight-text")
    assert "no wheel for Python 3.13; use Python 3.9 to 3.12" in found(3, 13).found
    assert found(3, 13).state == examination.OK


def test_fairseq_missing() -> None:
    (finding,) = examine("fairseq", version=None, error="ModuleNotFoundError: …")
    assert (finding.found, finding.state) == ("not installed", examination.FATAL)
    assert finding.mend == remedies.INSTALL_FAIRSEQ


@pytest.mark.parametrize(
    ("name", "state", "mend"),
    [
        ("torch", examination.FATAL, "pip install torch"),
        ("soundfile", examination.FATAL, "pip install soundfile"),
        ("soxr", examination.WARNING, "pip install soxr"),
        ("editdistance", examination.WARNING, "pip install editdistance"),
        ("hydra", examination.FATAL, 'pip install "hydra-core>=1.3,<1.4" "omegaconf>=2.3,<2.4"'),
    ],
)
def test_package_missing(name: str, state: str, mend: str) -> None:
    (finding,) = examine("packages", name, version=None)
    assert (finding.state, finding.mend) == (state, mend)


def test_pillow_is_installed_under_its_own_name() -> None:
    assert examine("packages", "PIL", version=None) == []
    (finding,) = examine("packages", "PIL", error="ImportError: libjpeg")
    assert finding.mend == "pip install pillow"


@pytest.mark.parametrize(
    ("name", "matching"), [("torchvision", "torchvision==0.26.0"), ("torchaudio", "torchaudio==2.11.0")]
)
def test_a_companion_of_torch_is_missed_only_if_it_is_broken(name: str, matching: str) -> None:
    assert examine("packages", name, version=None) == []
    (finding,) = examine("packages", name, error="RuntimeError: operator nms")
    assert finding.state == examination.WARNING
    assert finding.mend == f"pip install torch==2.11.0 {matching}"


@pytest.mark.parametrize(
    ("name", "torch", "expected"),
    [
        ("torchvision", "2.1.2", "torchvision==0.16.2"),
        ("torchvision", "2.13.0", "torchvision==0.28.0"),
        ("torchvision", "2.14.1", '"torchvision>=0.29.1"'),
        ("torchvision", "2.15.0+cu132", 'torch==2.15.0 "torchvision>=0.29.1"'),
        ("torchaudio", "2.8.0", "torchaudio==2.8.0"),
        ("torchaudio", "2.12.1", "pip uninstall torchaudio  (none loads with torch 2.12.1"),
        ("torchaudio", "2.13.0+cpu", "pip uninstall torchaudio  (none loads with torch 2.13.0+cpu"),
        ("torchaudio", "2.13.0", 'pip install torch==2.13.0 "torchaudio>=2.11.1"'),
        ("torchaudio", "2.15.0+cu132", 'pip install torch==2.15.0 "torchaudio>=2.11.1"'),
        ("torchaudio", None, "pip install torch torchaudio"),
        ("torchvision", None, "pip install torch torchvision"),
    ],
)
def test_companion_of_the_installed_torch(name: str, torch: Any, expected: str) -> None:
    assert expected in remedies.for_package(name, torch)


@pytest.mark.parametrize(
    ("error", "mend"),
    [
        ("ModuleNotFoundError: No module named 'hydra'", "pip install hydra-core"),
        ("ValueError: mutable default <class 'x'>", remedies.INSTALL_PLUGIN),
        ("ImportError: something else", remedies.INSTALL_FAIRSEQ),
    ],
)
def test_fairseq_does_not_import(error: str, mend: str) -> None:
    (finding,) = examine("fairseq", error=error)
    assert (finding.state, finding.mend) == (examination.FATAL, mend)


def test_extension_not_built() -> None:
    (finding,) = examine("fairseq", extensions={"x": "ImportError: x"})
    assert (finding.what, finding.mend) == ("C++ extension", remedies.BUILD_FAIRSEQ)


def test_shim_not_active_by_itself() -> None:
    (finding,) = examine("shim", active="import")
    assert (finding.state, finding.mend) == (examination.WARNING, remedies.INSTALL_PLUGIN)


def test_shim_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA2VEC_COMPAT", "0")
    (finding,) = examine("shim", active="", patches=[])
    assert finding.mend == "unset DATA2VEC_COMPAT"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="fairseq imports without the patches there")
def test_with_the_shim_turned_off_that_is_all_there_is_to_mend() -> None:
    pytest.importorskip("fairseq")
    done = run_doctor(DATA2VEC_COMPAT="0")
    assert done.returncode == 1
    (mends,) = done.stdout.split("To fix:\n")[1:]
    assert mends.split("\n\n")[0].strip().endswith(": unset DATA2VEC_COMPAT")
    assert "pip install" not in mends


@pytest.mark.parametrize(("variable", "mend"), [("0", "unset DATA2VEC_COMPAT"), ("1", 'pip install "hydra-core>=1.3')])
def test_an_old_hydra_that_does_not_import(variable: str, mend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA2VEC_COMPAT", variable)
    found = examine("packages", "hydra", version="1.0.7", error="ValueError: mutable default <class 'x'>")
    assert {each.what: each.mend for each in found}["hydra"].startswith(mend)


@pytest.mark.parametrize(("variable", "mend"), [("0", remedies.TURN_ON), ("1", remedies.INSTALL_PLUGIN)])
def test_the_plugin_does_not_import(variable: str, mend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA2VEC_COMPAT", variable)
    found = examine("plugin", error="ValueError: mutable default <class 'x'>")
    assert {finding.mend for finding in found} == {mend}


def test_a_module_that_is_missing_is_told_with_the_shim_turned_off_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA2VEC_COMPAT", "0")
    assert remedies.for_import_error("ModuleNotFoundError: No module named 'hydra'") == "pip install hydra-core"


def test_no_remedy_asks_an_index_for_the_plugin() -> None:
    assert remedies.INSTALL_PLUGIN.startswith("pip install '.[audio]'")


def test_patch_failed() -> None:
    failed = {"name": "x", "module": "m", "why": "w", "state": "failed", "detail": "E"}
    (finding,) = examine("shim", patches=[failed])
    assert finding.found == "active, but failed: x"


def test_without_rich(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    shim = HEALTHY["shim"]["patches"]
    examination.show(examination.examine(HEALTHY), shim, fatal=False)
    printed = capsys.readouterr().out
    assert "2.11.0+cu130" in printed
    assert "m: applied" in printed
    assert printed.endswith("Training can start.\n")
