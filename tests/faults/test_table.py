"""The table of upstream's faults keeps up with our code; put_back.py does the rest."""

from pathlib import Path

import pytest
from faults.table import FAULTS, Fault

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault_can_be_put_back(fault: Fault) -> None:
    assert (ROOT / fault.path).read_text().count(fault.ours) == 1
    assert fault.ours != fault.theirs
    assert fault.tests
    assert all((ROOT / test).exists() for test in fault.tests)


def test_names_are_distinct() -> None:
    names = [name for fault in FAULTS for name in fault.name.split()]
    assert len(set(names)) == len(names)
