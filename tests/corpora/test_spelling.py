"""Words of letters, in any script."""

import unicodedata

import pytest

from data2vec_plugin.corpora.spelling import Losses, clean


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("क्\u200dया", "क्या"),  # a joiner that only shapes the glyphs
        ("می\u200cخواهم", "میخواهم"),
        ("\u200fשלום, עולם\u200f", "שלום עולם"),
        ("co\u00adoperate", "COOPERATE"),
        ("well-known", "WELL KNOWN"),
    ],
)
def test_invisible_characters_do_not_cut_words(text: str, words: str) -> None:
    assert clean(text, "upper", Losses()) == words


@pytest.mark.parametrize("text", ["घोड\u093cे", "घो\u095cे", "한국어", "Ångström"])
def test_composed_and_decomposed_texts_are_the_same(text: str) -> None:
    spelt = {clean(unicodedata.normalize(form, text), "keep", Losses()) for form in ("NFC", "NFD")}
    assert len(spelt) == 1
