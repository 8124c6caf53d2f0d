"""What the plugin has in place before fairseq imports it: loaded by its place, and the same once it is imported."""

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("omegaconf")
ROOT = Path(__file__).resolve().parents[2]
OFF = {"DATA2VEC_COMPAT": "0"}
HOST = {"PYTHONPATH": str(ROOT)}
RESOLVED = """
from omegaconf import OmegaConf
print(OmegaConf.create({"n": "${gpus_here:16}", "f": "${keep_batch:16,1}"}).f[0])
"""
TAKEN_OVER = """
import sys, data2vec_compat
from omegaconf import OmegaConf
from fairseq_cli import hydra_train
try:
    print(hydra_train._hydra_main(OmegaConf.create({"common": {"user_dir": "USER_DIR"}})))
except ModuleNotFoundError as error:
    print(error.name)
"""


def test_resolvers_are_there_before_the_plugin_is(run_python: Any) -> None:
    code = f"import sys, data2vec_compat{RESOLVED}print('data2vec_plugin' in sys.modules)"
    assert run_python(code, **HOST).stdout.split() == ["1", "False"]
    assert run_python(code, **HOST, **OFF).stdout.split() == ["1", "False"]


@pytest.mark.parametrize("env", [OFF, {}], ids=["off", "on"])
def test_a_recipe_is_taken_over_also_with_the_patches_off(run_python: Any, tmp_path: Path, env: Any) -> None:
    """By a host that needs no patches to start: as much of fairseq as takes a configuration over."""
    for package, text in (("fairseq", ""), ("fairseq_cli", "")):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text(text)
    (tmp_path / "fairseq_cli" / "hydra_train.py").write_text("def _hydra_main(cfg, **kwargs):\n    return 'stock'\n")
    ours, others = (
        run_python(TAKEN_OVER.replace("USER_DIR", name), **HOST, **env).stdout.split()[-1]
        for name in ("data2vec_plugin", "theirs")
    )
    assert others == "stock"
    assert ours == "fairseq.models"  # the first that is asked about a recipe of ours, and no part of the stub


def test_the_plugin_finds_what_was_loaded_before_it(run_python: Any) -> None:
    code = (
        "import sys, data2vec_compat, omegaconf; early = sys.modules['data2vec_plugin.host.launching.recipe_batch'];"
        "import data2vec_plugin, data2vec_plugin.host.launching as late;"
        "from data2vec_plugin.host.launching import recipe_batch;"
        "print(late is data2vec_plugin.host.launching, recipe_batch is early is late.recipe_batch)"
    )
    assert run_python(code, **HOST).stdout.split() == ["True", "True"]


def test_every_module_leaves_the_plugins_name_free(run_python: Any) -> None:
    names = [path.stem for path in (ROOT / "data2vec_plugin" / "host" / "launching").glob("[a-z]*.py")]
    code = (
        "import sys, data2vec_compat, omegaconf; from importlib import import_module\n"
        f"for name in {names}: import_module('data2vec_plugin.host.launching.' + name)\n"
        "print('data2vec_plugin' in sys.modules, 'data2vec_plugin.host' in sys.modules)"
    )
    assert len(names) > 8
    assert run_python(code, **HOST).stdout.split() == ["False", "False"]


@pytest.mark.parametrize("text", [None, "raise RuntimeError('half a file')\n"], ids=["missing", "broken"])
def test_without_the_plugin_the_patches_work_alone(run_python: Any, tmp_path: Path, text: Any) -> None:
    shutil.copytree(ROOT / "data2vec_compat", tmp_path / "data2vec_compat")
    if text is not None:
        (tmp_path / "data2vec_plugin" / "host" / "launching").mkdir(parents=True)
        for part in ("", "host", "host/launching"):
            (tmp_path / "data2vec_plugin" / part / "__init__.py").write_text(text)
    paths = [str(tmp_path), *(path for path in sys.path if path.endswith("-packages"))]
    code = (
        f"import sys; sys.path[:0] = {paths!r}; import data2vec_compat; data2vec_compat.start(); import omegaconf;"
        "print(len(data2vec_compat.report()) > 9, 'data2vec_plugin.host.launching' in sys.modules)"
    )
    assert run_python(code, "-S").stdout.split() == ["True", "False"]
