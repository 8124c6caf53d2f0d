"""`data2vec labels --units`: subwords and words beside letters, of any script."""

from __future__ import annotations

from pathlib import Path
from typing import List

import pytest
from corpora.test_labelling import run

from data2vec_plugin.corpora.units import Letters, UnitSettings, Words, make_units

HINDI = ["नमस्ते दुनिया", "यह एक परीक्षा है"]
ARABIC = "مرحبا بالعالم"
SENTENCES = [f"the dog number {word} goes on and on" for word in ("one", "two", "three", "four", "seven", "eight")]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Manifests of clips that are not there, with a text beside each."""
    for split, texts in {"train": [*SENTENCES, *HINDI], "dev": [SENTENCES[0], HINDI[0]]}.items():
        (tmp_path / split).mkdir()
        for number, text in enumerate(texts):
            (tmp_path / split / f"{number}.txt").write_text(text, "utf-8")
        clips = "".join(f"{split}/{number}.wav\t16000\n" for number in range(len(texts)))
        (tmp_path / f"{split}.tsv").write_text(f"{tmp_path}\n{clips}")
    return tmp_path


def lines(path: Path) -> List[str]:
    return path.read_text("utf-8").splitlines()


def test_subwords_are_learned_from_the_training_splits(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sentencepiece")
    assert run(data, "--units", "bpe", "--size", "60") == 0
    assert {"spm.model", "dict.bpe.txt", "train.bpe", "train.wrd", "dev.bpe"} <= {path.name for path in data.iterdir()}
    known = {line.split()[0] for line in lines(data / "dict.bpe.txt")}
    for split in ("train", "dev"):
        for labels, words in zip(lines(data / f"{split}.bpe"), lines(data / f"{split}.wrd")):
            assert "".join(labels.split()).replace("▁", " ").strip() == words
            assert set(labels.split()) <= known
    assert "▁THE" in known
    assert "`task.labels=bpe +criterion.post_process=sentencepiece`" in capsys.readouterr().out


def test_subwords_that_are_there_already_are_taken(data: Path) -> None:
    pytest.importorskip("sentencepiece")
    run(data, "--units", "bpe", "--size", "60")
    first = (data / "train.bpe").read_bytes()
    spm = ("--spm", data / "spm.model")
    assert run(data, "--units", "bpe", *spm, "--dict", data / "dict.bpe.txt", "--out", data / "again") == 0
    assert (data / "again" / "train.bpe").read_bytes() == first
    assert not (data / "again" / "dict.bpe.txt").exists()


def test_words_are_a_dictionary_of_their_own(data: Path) -> None:
    assert run(data, "--units", "word") == 0
    assert lines(data / "dict.wrd.txt")[0] == "ON 12"
    assert lines(data / "dev.wrd")[0] == "THE DOG NUMBER ONE GOES ON AND ON"
    assert not (data / "dev.ltr").exists()


def test_letters_of_any_script_stay_in_their_order() -> None:
    assert "".join(Letters().split(ARABIC)) == ARABIC.replace(" ", "|") + "|"
    assert Letters().split(HINDI[0])[:3] == ["न", "म", "स"]
    assert Words().split(HINDI[0]) == HINDI[0].split()


@pytest.mark.parametrize(
    ("settings", "texts", "told"),
    [
        (UnitSettings("phone"), [], "`--units` is 'phone'; expected char, bpe, word"),
        (UnitSettings("char", model=Path("a.model")), [], "is a model of subwords, and `--units` is char"),
        (UnitSettings("bpe"), [], "with `--dict` learns no subwords; give those of that dictionary"),
        (UnitSettings("bpe", 5000), ["a few words"], "could not learn 5000 subwords"),
    ],
)
def test_what_cannot_be(settings: UnitSettings, texts: List[str], told: str, tmp_path: Path) -> None:
    if settings.kind == "bpe":
        pytest.importorskip("sentencepiece")
    with pytest.raises(ValueError, match=told):
        make_units(settings, texts, tmp_path)


def test_no_model_is_told(tmp_path: Path) -> None:
    pytest.importorskip("sentencepiece")
    (tmp_path / "a.model").write_text("no model")
    with pytest.raises(ValueError, match="is no readable SentencePiece model"):
        make_units(UnitSettings("bpe", model=tmp_path / "a.model"), [], tmp_path)


def test_a_word_that_training_lacks_is_told(data: Path) -> None:
    (data / "dev" / "0.txt").write_text("the cat")
    with pytest.raises(ValueError, match=r"line 2: the word 'CAT' of dev/0\.wav .* use words of more splits"):
        run(data, "--units", "word")
