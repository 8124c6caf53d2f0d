"""Pages of docs/: their code runs, and their links to lines lead to what they name."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from page_code import run_block

pytestmark = pytest.mark.source

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda path: path.stem)
def test_links_lead_to_where_a_name_is_defined(page: Path) -> None:
    text = page.read_text("utf-8")
    assert script("link_lines").updated(text) == text, "run python docs/link_lines.py"


def test_a_link_to_a_name_that_is_gone_is_noticed() -> None:
    with pytest.raises(ValueError, match=r"core/model\.py defines Gone 0 times, expected once"):
        script("link_lines").updated("[`Gone`](../data2vec_plugin/core/model.py#L3)")


def test_the_page_on_parts_has_code_that_trains() -> None:
    torch.manual_seed(0)
    scope = run_block("method-by-parts.md")
    assert scope["features"].shape == (2, 50, 32)
    assert set(scope["output"].terms) == {"regression", "direction"}
    assert scope["model"].teacher.num_updates == 19
    assert float(scope["output"].loss.detach()) > 0


def script(name: str) -> Any:
    """A script of docs/, which is not a module of a package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    return module


def test_links_of_all_pages_lead_somewhere(tmp_path: Path) -> None:
    builder = script("build_site")
    assert builder.write_sources(tmp_path / "source") > 20
    text = (tmp_path / "source" / "docs" / "method-by-parts.md").read_text("utf-8")
    assert "](../data2vec_plugin" not in text  # the site has no code
    assert "(examples/text/README.md)" in (tmp_path / "source" / "README.md").read_text("utf-8")
    with pytest.raises(ValueError, match=r"README\.md links to gone\.md, which is not there"):
        builder.link(ROOT / "README.md", "", "a page", "gone.md")


def test_every_page_has_its_place_in_the_sites_menu() -> None:
    builder = script("build_site")
    pages = {str(path.relative_to(ROOT)) for pattern in builder.PAGES for path in ROOT.glob(pattern)}
    menu = (ROOT / "docs" / "mkdocs.yml").read_text("utf-8").partition("nav:")[2]
    assert set(re.findall(r"(\S+\.md)", menu)) == pages


def test_the_readme_names_seven_files_to_read_in_order() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    part = readme.partition("## Read the code")[2]
    listed = re.findall(r"^(\d)\. \[`([\w/.]+)`\]\((data2vec_plugin/[\w/.]+)\): \S", part, re.MULTILINE)
    assert [int(number) for number, _, _ in listed] == [1, 2, 3, 4, 5, 6, 7]
    for _, name, path in listed:
        assert path == f"data2vec_plugin/{name}"
        assert (ROOT / path).is_file()
    for name in re.findall(r"`(\w+\.py)`", part):
        assert any((ROOT / path).with_name(name).is_file() for _, _, path in listed), name
    assert "def average_targets(" in (ROOT / listed[4][2]).read_text("utf-8")
    assert readme.count("\n") <= 220
