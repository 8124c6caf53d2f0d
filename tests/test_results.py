"""docs/results.md is what its JSON gives, and the tables of the documents state numbers that the JSON has."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import pytest

pytestmark = pytest.mark.source

ROOT = Path(__file__).resolve().parents[1]
PUBLISHED = {"examples/librispeech/README.md", "examples/imagenet/README.md", "examples/glue/README.md"}
GIVEN = ("| masked |", "| a1 |", "| a2 |")  # rows of settings and of examples
NO_RESULT = re.compile(r"arXiv|seed \d|\bv?\d+(?:\.\d+)*-gram|data2vec 2\.0|data2vec 1|K \d|[\d,]+ updates|\d+ digits")
NUMBER = re.compile(r"(?<![\w.,-])[−-]?\d+(?:\.\d+)?(?![\w,.]*\w)")


def builder() -> Any:
    """docs/build_results.py, which is not a module of a package."""
    spec = importlib.util.spec_from_file_location("build_results", ROOT / "docs" / "build_results.py")
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    return module


BUILDER = builder()
RESULTS: List[Dict[str, Any]] = [result for group in BUILDER.read_groups() for result in group["results"]]
STATED = sorted({document for result in RESULTS for document in result["documents"]})


def test_the_page_is_what_the_json_gives() -> None:
    page = BUILDER.PAGE.read_text("utf-8")
    assert page == BUILDER.page(), "run python docs/build_results.py"


def test_every_file_of_results_is_on_the_page() -> None:
    assert {path.stem for path in (ROOT / "docs" / "results").iterdir()} == set(BUILDER.GROUPS)


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: result["id"])
def test_a_result_is_complete(result: Dict[str, Any]) -> None:
    assert set(result) == BUILDER.FIELDS
    assert all(result[field] for field in ("title", "hardware", "rows"))
    assert all(len(row) == len(result["columns"]) for row in result["rows"])
    assert all(value is None or not isinstance(value, str) for row in result["rows"] for value in row[2:])
    assert result["date"] is None or re.fullmatch(r"20\d\d-\d\d-\d\d", result["date"])
    for field in ("commit", "recorded_in"):
        assert result[field] is None or re.fullmatch(r"[0-9a-f]{7,40}", result[field])
    assert result["seeds"] is None or all(isinstance(seed, int) for seed in result["seeds"])
    assert all((ROOT / document).is_file() for document in result["documents"])


def test_results_have_names_of_their_own() -> None:
    names = [result["id"] for result in RESULTS]
    assert len(set(names)) == len(names)


def test_a_field_that_is_missing_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "docs" / "results").mkdir(parents=True)
    (tmp_path / "docs" / "results" / "one.json").write_text('{"title": "", "results": [{"id": "short"}]}', "utf-8")
    monkeypatch.setattr(BUILDER, "ROOT", tmp_path)
    monkeypatch.setattr(BUILDER, "GROUPS", ("one",))
    with pytest.raises(ValueError, match=r"`short` lacks or has too many fields: \['columns'"):
        BUILDER.read_groups()


def known(document: str) -> List[float]:
    """The numbers of the results that name ``document``; a share of 1 counts as a percentage, too."""
    cells = [cell for result in RESULTS if document in result["documents"] for row in result["rows"] for cell in row]
    numbers = [float(cell) for cell in cells if isinstance(cell, (int, float))]
    return numbers + [100 * number for number in numbers if -1 <= number <= 1]


def stated(document: str) -> Iterator[Tuple[int, str]]:
    """Line and number of each measured decimal or percentage in a table, but for a row's first cell."""
    for at, cell in measured_cells(document):
        for found in NUMBER.finditer(re.sub(r"`[^`]*`", "", NO_RESULT.sub("", cell))):
            if "." in found[0] or cell[found.end() :].strip().startswith("%"):
                yield at, found[0].replace("−", "-")


def measured_cells(document: str) -> Iterator[Tuple[int, str]]:
    """The cells of tables, without sections and columns that are headed "published"."""
    heading, columns = "", []
    for at, line in enumerate((ROOT / document).read_text("utf-8").splitlines(), 1):
        heading = line if line.startswith("#") else heading
        if not line.startswith("|"):
            columns = []
            continue
        cells = line.strip("|").split("|")
        columns = columns or cells
        if "ublished" not in heading and not line.startswith(GIVEN):
            yield from ((at, cell) for name, cell in zip(columns[1:], cells[1:]) if "published" not in name)


def agrees(text: str, numbers: List[float]) -> bool:
    """Whether a number, to as many digits as it is stated with, is one of ``numbers``."""
    unit = 10.0 ** -len(text.partition(".")[2])
    return any(abs(float(text) - number) <= unit / 2 + 1e-9 for number in numbers)


@pytest.mark.parametrize("document", STATED)
def test_tables_of_a_document_state_numbers_that_the_json_has(document: str) -> None:
    unknown = [place for place in stated(document) if not agrees(place[1], known(document))]
    assert unknown == [], f"{document} states (line, number) what no result in docs/results has"


def test_documents_with_results_are_looked_at() -> None:
    assert {"README.md", "examples/quickstart/README.md", "examples/ablation/README.md"} <= set(STATED)
    assert len(list(stated("README.md"))) >= 12
    assert not agrees("36.9", known("README.md"))
    assert agrees("97.7", known("README.md"))
    others = [path.relative_to(ROOT).as_posix() for path in ROOT.glob("examples/*/README.md")]
    missing = [name for name in others if name not in {*STATED, *PUBLISHED} and list(stated(name))]
    assert missing == [], "their results are not in docs/results"
