"""The tables of faults keep up with our code; put_back.py does the rest."""

from pathlib import Path

import pytest
from faults.fault import Fault
from faults.parts import Part, changed, find
from faults.put_back import with_fault
from faults.table import FAULTS

pytestmark = pytest.mark.source

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault_can_be_put_back(fault: Fault) -> None:
    path, text = with_fault(ROOT, fault)
    assert text != path.read_text("utf-8")
    assert fault.tests
    assert all((ROOT / test.partition("::")[0]).exists() for test in fault.tests)


def test_names_are_distinct() -> None:
    names = [name for fault in FAULTS for name in fault.name.split()]
    assert len(set(names)) == len(names)


@pytest.fixture
def part(tmp_path: Path) -> Part:
    for name, text in (
        ("one", "class A:\n    def f(self, x):\n        # é\n        if (x\n            > 1): y = 'é'; return x\n"),
        ("two", "class B:\n    def f(self, x):\n        return x\n\n\nLIMIT: int = 3\n"),
    ):
        (tmp_path / "data2vec_plugin").mkdir(exist_ok=True)
        (tmp_path / "data2vec_plugin" / f"{name}.py").write_text(text, "utf-8")
    return find(tmp_path, "A.f")


def test_a_part_is_found_by_the_end_of_its_name(part: Part) -> None:
    root = part.path.parents[1]
    assert part.name == "data2vec_plugin.one.A.f"
    assert find(root, "two.LIMIT").path.name == "two.py"
    with pytest.raises(ValueError, match=r"one\.A\.f, .*two\.B\.f; expected one part"):
        find(root, "f")
    with pytest.raises(ValueError, match="nothing of that name"):
        find(root, "C")


def test_how_code_is_laid_out_does_not_matter(part: Part) -> None:
    text = changed(part, "x > 1", "x > 2")
    assert "if ((x > 2)): y = 'é'; return x\n" in text
    assert "if (x\n            > 1): z = 1; return x\n" in changed(part, 'y = "é"', "z = 1")
    with pytest.raises(ValueError, match="0 times, expected once"):
        changed(part, "x > 3", "x")
