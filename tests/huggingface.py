"""The real `transformers`, for tests that compare with it."""

from typing import Any

import pytest


def transformers() -> Any:
    """The library; skips the module that asks where there is none that works with the installed torch."""
    library = pytest.importorskip("transformers")
    if not library.is_torch_available():
        pytest.skip("this transformers needs a newer torch", allow_module_level=True)
    return library
