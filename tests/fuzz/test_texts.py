"""Any manifest, table, dictionary, label file, transcript, JSON: a result, or a ValueError that names the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict

import pytest
from fuzz.bounds import bounded, settled
from hypothesis import given
from hypothesis import strategies as st

from data2vec_plugin.corpora.sentence_files import own_task
from data2vec_plugin.data.text.dictionary_file import load_dictionary
from data2vec_plugin.features.lists import read_items
from data2vec_plugin.files.multimodal.sequences import read_classes, read_numbers, read_samples
from data2vec_plugin.files.text.delimited import read_table, tab_separated
from data2vec_plugin.files.text.json_files import read_json
from data2vec_plugin.files.text.manifests import check_manifest, manifest_digest, manifest_root, read_manifest
from data2vec_plugin.files.text.text_lines import read_text
from data2vec_plugin.files.text.transcripts import read_beside, read_labels, read_utterances

PIECES = (
    *("\n", "\r\n", "\r", "\n\n", "\t", "\t\t", ",", '"', '""', " ", "  ", "\ufeff", "\0", "\x1a", "\u2028", "\u00a0"),
    *("/data", ".", "..", "a.wav", "b/c.flac", "é.wav", "a.zip:12:30", "long.wav:0:-1", "path", "text", "label"),
    *(
        "0",
        "-1",
        "16000",
        "1e3",
        "²",
        "٣",
        "0x10",
        "1_000",
        "9" * 30,
        "nan",
        "inf",
        "<unk>",
        "<s>",
        "#fairseq:overwrite",
    ),
    *("|", "H E L L O |", "\u2581the", "{", "}", "[", "[" * 3000, "null", "madeupword0000", "x" * 5000),
)
"""What such files hold, and what editors, tables and people make of it."""
contents = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=24).map(lambda pieces: "".join(pieces).encode()),
    st.lists(st.one_of(st.sampled_from(PIECES).map(str.encode), st.binary(max_size=4)), max_size=12).map(b"".join),
    st.sampled_from(["utf-16", "latin-1", "utf-8-sig"]).map(lambda name: "pfad\ttext\né\tü\n".encode(name)),
)

READERS: Dict[str, Callable[[Path], Any]] = {
    "m.tsv": lambda path: [read_manifest(path), check_manifest(path), manifest_root(path), manifest_digest(path)],
    "items.tsv": lambda path: read_items(path, "speech"),
    "items.txt": lambda path: read_items(path, "image"),
    "lines.txt": lambda path: read_items(path, "text"),
    "table.tsv": lambda path: [read_table(path, ["path"]), list(tab_separated(path))],
    "table.csv": lambda path: read_table(path, ["path", "text"]),
    "dict.txt": load_dictionary,
    "valid.ltr": lambda path: read_labels(path, path.with_suffix(".tsv"), 2),
    "1-2.trans.txt": lambda path: read_utterances(path.parent),
    "clip.txt": lambda path: read_beside(path.with_suffix(".wav")),
    "notes.txt": read_text,
    "x.json": read_json,
    "samples.tsv": read_samples,
    "train.label": lambda path: [read_numbers(path, 2, -3, 3), read_classes(path, 2, 4, 2)],
    "train.tsv": lambda path: own_task(path.parent, "mine"),
}


@pytest.mark.parametrize("name", READERS)
@bounded(40)
@given(content=contents)
def test_any_text(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    settled(path, READERS[name])


def test_a_long_line_takes_no_multiple_of_its_size(tmp_path: Path) -> None:
    """50 MB without a line break, as the wrong file handed in has."""
    path = tmp_path / "items.tsv"
    path.write_bytes(b"x" * (50 << 20))
    for name, reader in READERS.items():
        path = path.rename(tmp_path / name)
        settled(path, reader)
