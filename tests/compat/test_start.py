"""The `.pth` line: present in every interpreter, cheap, and unable to break one."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINE = (ROOT / "data2vec_compat.pth").read_text()


def test_is_one_line() -> None:
    assert LINE.count("\n") == 1
    assert LINE.startswith("import ")


def test_is_active_without_any_import(run_python) -> None:
    done = run_python(
        "import sys; compat = sys.modules['data2vec_compat'];"
        "print(compat.started_by(), 'data2vec_plugin' in sys.modules, 'fairseq' in sys.modules)"
    )
    assert done.stdout.split() == [".pth", "False", "False"]


def test_imports_nothing_at_start(run_python) -> None:
    code = f"import os, sys; sys.path.append({str(ROOT)!r}); before = set(sys.modules)\n{LINE}"
    done = run_python(code + "print(*sorted(set(sys.modules) - before))", "-S")
    assert done.stdout.split() == ["data2vec_compat"]


COSTS = """
import os, sys, time
sys.path.append({root!r})
line, finders, costs = compile({line!r}, "line", "exec"), list(sys.meta_path), []
for _ in range(50):
    sys.meta_path[:] = finders
    sys.modules.pop("data2vec_compat", None)
    began = time.process_time()
    exec(line)
    costs.append(time.process_time() - began)
print(min(costs), len(sys.meta_path) - len(finders))
"""


def test_costs_less_than_a_millisecond(run_python, tmp_path) -> None:
    """Of the processor, the cheapest of fifty: how busy the machine is does not count."""
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(tmp_path / "cache")}
    seconds, started = run_python(COSTS.format(root=str(ROOT), line=LINE), "-S", **compiled).stdout.split()
    assert started == "1"
    assert float(seconds) < 1e-3


def test_package_gone(run_python) -> None:
    done = run_python(f"{LINE}print('alive')", "-S")
    assert (done.stdout, done.stderr) == ("alive\n", "")


def test_package_broken(run_python, tmp_path) -> None:
    site = tmp_path / "site"
    (site / "data2vec_compat").mkdir(parents=True)
    (site / "data2vec_compat" / "__init__.py").write_text("raise RuntimeError('half a file')\n")
    (site / "data2vec_compat.pth").write_text(LINE)
    done = run_python(f"import site; site.addsitedir({str(site)!r}); print('alive')", "-S")
    assert done.stdout == "alive\n"


@pytest.mark.parametrize("value", ["0", "off", "False"])
def test_switched_off(run_python, value: str) -> None:
    code = "import sys, data2vec_compat as c, omegaconf; c.install(); print(repr(c.started_by()), [*sys.modules])"
    done = run_python(code, DATA2VEC_COMPAT=value)
    assert done.stdout.startswith("'' [")
    assert "data2vec_compat.patches" not in done.stdout


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python accepts fairseq's defaults")
def test_switched_off_leaves_fairseq_as_it_is(run_python) -> None:
    done = run_python("import fairseq", check=False, DATA2VEC_COMPAT="0")
    assert "mutable default" in done.stderr


def test_explicit_install_where_no_pth_is_read(run_python) -> None:
    """`python -S`, `pip install --target`, a bare checkout: importing the plugin is enough."""
    paths = [str(ROOT), *(path for path in sys.path if path.endswith("-packages"))]
    code = (
        f"import sys; sys.path.extend({paths!r});"
        "import data2vec_plugin.compat as compat; compat.install(); compat.install();"
        "import data2vec_compat, fairseq_cli.hydra_train;"
        "print(data2vec_compat.started_by(), {p['state'] for p in data2vec_compat.report()})"
    )
    done = run_python(code, "-S")
    assert done.stdout.startswith("import {")
    assert "failed" not in done.stdout


def test_plugin_finds_the_shim_beside_itself(run_python, tmp_path) -> None:
    """A checkout whose folder is not on the path: `--user-dir` puts only its parent there."""
    code = (
        "import importlib.util as u, sys;"
        f"spec = u.spec_from_file_location('compat', {str(ROOT / 'data2vec_plugin/compat.py')!r});"
        "module = u.module_from_spec(spec); spec.loader.exec_module(module); module.install();"
        "print(sys.modules['data2vec_compat'].started_by())"
    )
    assert run_python(code, "-S").stdout == "import\n"
