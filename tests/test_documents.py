"""Pages of docs/: their code runs, and their links to lines lead to what they name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict

import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]
PARTS = ROOT / "docs" / "method-by-parts.md"
LINK = re.compile(r"\[`(\w+)`\]\(\.\./([\w/.]+)#L(\d+)\)")
CODE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(("name", "path", "line"), sorted(set(LINK.findall(PARTS.read_text("utf-8")))))
def test_links_lead_to_where_a_name_is_defined(name: str, path: str, line: str) -> None:
    found = (ROOT / path).read_text("utf-8").splitlines()
    (place,) = [number for number, text in enumerate(found, 1) if re.match(rf"(class|def) {name}\b", text)]
    assert int(line) == place


def test_the_page_on_parts_has_code_that_trains() -> None:
    torch.manual_seed(0)
    scope: Dict[str, Any] = {}
    (code,) = CODE.findall(PARTS.read_text("utf-8"))
    exec(compile(code, str(PARTS), "exec"), scope)
    assert scope["features"].shape == (2, 50, 32)
    assert set(scope["output"].terms) == {"regression", "direction"}
    assert scope["model"].teacher.num_updates == 19
    assert float(scope["output"].loss.detach()) > 0
