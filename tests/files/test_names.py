"""File names in one buffer behave as the list they stand for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data2vec_plugin.files.names import FileNames


@given(st.lists(st.binary(max_size=12), min_size=1, max_size=20))
def test_every_index_gives_what_a_list_gives(names: "list[bytes]") -> None:
    packed = FileNames(names)
    assert len(packed) == len(names)
    for index in range(-len(names), len(names)):
        assert packed[index].as_py() == names[index]


def test_an_index_beyond_the_end_is_an_index_error() -> None:
    with pytest.raises(IndexError):
        FileNames([b"a"])[1]
