"""GLUE in small, made once."""

from __future__ import annotations

from pathlib import Path

import pytest
from glue.runs_folder import Place
from glue_files import write_glue, write_gpt2_bpe, write_sentencepiece


@pytest.fixture(scope="session")
def glue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_glue(tmp_path_factory.mktemp("glue"))


@pytest.fixture(scope="session")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A SentencePiece model and its dictionary."""
    pytest.importorskip("sentencepiece")
    return write_sentencepiece(tmp_path_factory.mktemp("pieces"))


@pytest.fixture(scope="session")
def bytes_bpe(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder with GPT-2's two files in small, and their dictionary."""
    return write_gpt2_bpe(tmp_path_factory.mktemp("gpt2"))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A folder with all that `data2vec glue run` needs, and a fake trainer first on the path."""
    return Place(tmp_path, monkeypatch)
