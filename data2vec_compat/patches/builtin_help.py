"""fairseq writes `{help: …}` where `{"help": …}` is meant, and Python is kind to it.

`help` is a builtin that the site module adds; under `python -S` there is none, and
fairseq.dataclass.configs does not import.
"""

from types import ModuleType

from data2vec_compat.registry import patch


@patch("builtin help", "builtins", why="fairseq uses `help`, which `python -S` does not define")
def mend(module: ModuleType) -> bool:
    """Adds what the site module would have added."""
    if hasattr(module, "help"):
        return False
    from _sitebuiltins import _Helper

    module.help = _Helper()  # type: ignore[attr-defined]
    return True
