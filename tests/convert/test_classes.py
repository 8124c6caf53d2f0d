"""Names of classes, given, found or missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from data2vec_plugin.convert.classes import FILE, keep_names, name_classes
from data2vec_plugin.convert.modality import Beside


def test_given_names_stand_above_found_ones(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("no\nyes\n")
    beside = Beside()
    name_classes(beside, 2, tmp_path / "names.txt", ["0", "1"])
    assert beside.keys == {"id2label": {"0": "no", "1": "yes"}, "label2id": {"no": 0, "yes": 1}}


def test_without_names_their_number_is_kept() -> None:
    beside = Beside()
    name_classes(beside, 3, None)
    assert beside.keys == {"num_labels": 3}
    assert "`--labels FILE`" in beside.notes[0]


def test_a_file_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"`--labels`: .*none\.txt does not exist"):
        name_classes(Beside(), 3, tmp_path / "none.txt")


def test_names_of_theirs_go_into_a_file() -> None:
    beside = Beside()
    assert keep_names(beside, {"id2label": {"0": "tabby\ncat", "1": "dog"}}) == 2
    assert beside.files == {FILE: "tabby cat\ndog\n"}


@pytest.mark.parametrize("hf", [{}, {"num_labels": 2}, {"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}])
def test_names_that_say_nothing_do_not(hf: dict) -> None:  # type: ignore[type-arg]
    beside = Beside()
    assert keep_names(beside, hf) == 2
    assert not beside.files
