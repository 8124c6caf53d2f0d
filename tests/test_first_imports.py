"""Whatever of ours is imported first, fairseq is whole before anything registers."""

import ast
from pathlib import Path

import forks
import pytest
from sources import parsed

ROOT = Path(__file__).resolve().parents[1]
PLUGIN = ROOT / "data2vec_plugin"


def imports_fairseq(path: Path) -> bool:
    """Whether a module asks for fairseq when it is imported itself."""
    for node in parsed(path).body:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [str(node.module)]
        if any(name.split(".")[0] in ("fairseq", "fairseq_cli") for name in names):
            return True
    return False


@pytest.mark.parametrize("path", sorted(PLUGIN.rglob("*.py")), ids=lambda path: str(path.relative_to(PLUGIN)))
def test_the_folder_of_whoever_imports_fairseq_does_so_first(path: Path) -> None:
    above = [folder / "__init__.py" for folder in path.parents if PLUGIN in folder.parents]
    assert not imports_fairseq(path) or any(imports_fairseq(package) for package in above)


@pytest.mark.parametrize(
    "name", ["checkpoints.saved_file", "checkpoints.identify", "host.watching.stop", "convert.folder"]
)
def test_a_fresh_interpreter_imports(name: str, tmp_path: Path) -> None:
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import data2vec_plugin.{name}"
    done = forks.python(["-c", code], imported="torch", cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
