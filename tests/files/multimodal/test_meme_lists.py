"""Lists of memes, and the text beside pictures."""

from __future__ import annotations

from pathlib import Path

import pytest

from data2vec_plugin.files.multimodal.meme_lists import Meme, read_memes, text_beside
from data2vec_plugin.files.unusable import UnusableFileError


def test_a_list_is_pictures_labels_and_texts(tmp_path: Path) -> None:
    path = tmp_path / "train.tsv"
    path.write_text("pictures\na.png\t1\tso  it goes \nb/c.jpg\t0\nd.png\t0\t\n\n")
    root = tmp_path / "pictures"
    assert read_memes(path) == [
        Meme(root / "a.png", 1, "so it goes"),
        Meme(root / "b/c.jpg", 0, None),
        Meme(root / "d.png", 0, ""),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (".\na.png\t1\nb.png\t2\n", r"train\.tsv, line 3: label '2' is out of range; expected 0 or 1"),
        (".\na.png\t-1\n", r"line 2: label '-1' is out of range"),
        (".\na.png\n", r"line 2: got 'a\.png'; expected picture<TAB>0 or 1"),
        (".\n\t1\n", r"line 2: got"),
        (".\na.png\t1\tx\ty\n", r"line 2: got"),
        (".\n", r"lists no picture"),
        ("", r"lists no picture"),
        (".\na.png\t1\t\xff\n", r"line 2: byte 9 \(0xff\) is not UTF-8"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "train.tsv"
    path.write_bytes(text.encode("latin1"))
    with pytest.raises(UnusableFileError, match=message):
        read_memes(path)


def test_a_sidecar_becomes_one_line(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    assert text_beside(picture) is None
    (tmp_path / "a.png.ocr").write_text("Zwei\n\nZeilen \u00fc\n", "utf-8")
    assert text_beside(picture) == "Zwei Zeilen \u00fc"
    (tmp_path / "a.png.ocr").write_text("\n")
    assert text_beside(picture) == ""
