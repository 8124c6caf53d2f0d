"""Pages of docs/: their code runs, and their links to lines lead to what they name."""

from __future__ import annotations

import importlib.util
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


def site() -> Any:
    """docs/build_site.py, which is no module of a package."""
    spec = importlib.util.spec_from_file_location("build_site", ROOT / "docs" / "build_site.py")
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    return module


def test_links_of_all_pages_lead_somewhere(tmp_path: Path) -> None:
    builder = site()
    assert builder.write_sources(tmp_path / "source") > 20
    text = (tmp_path / "source" / "docs" / "method-by-parts.md").read_text("utf-8")
    assert "](../data2vec_plugin" not in text  # the site has no code
    assert "(examples/text/README.md)" in (tmp_path / "source" / "README.md").read_text("utf-8")
    with pytest.raises(ValueError, match=r"README\.md links to gone\.md, which is not there"):
        builder.link(ROOT / "README.md", "", "a page", "gone.md")


def test_every_page_has_its_place_in_the_sites_menu() -> None:
    builder = site()
    pages = {str(path.relative_to(ROOT)) for pattern in builder.PAGES for path in ROOT.glob(pattern)}
    menu = (ROOT / "docs" / "mkdocs.yml").read_text("utf-8").partition("nav:")[2]
    assert set(re.findall(r"(\S+\.md)", menu)) == pages
