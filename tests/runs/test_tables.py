"""Tables where rich is not installed."""

from data2vec_plugin.runs.tables import plain_table


def test_plain_table_aligns() -> None:
    lines = plain_table("T", ("a", "b"), [("x", "1\n2"), ("long", "3")]).splitlines()
    assert lines == ["", "T", "a     b", "----  -", "x     1", "      2", "long  3"]
