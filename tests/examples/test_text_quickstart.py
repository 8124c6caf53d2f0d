"""The text quickstart: what it takes out of articles, its commands, and the figures that it reads."""

import random
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from examples.scripts import scripts

from data2vec_plugin.runs.two_starts import read_accuracy


@pytest.fixture(scope="module")
def text() -> Iterator[SimpleNamespace]:
    with scripts("text", "corpus", "report_text", "run") as found:
        yield found


SAID = "Once again somebody counted words before another thousand letters followed quietly. "


def articles(text: SimpleNamespace) -> list:
    names = ("amber", "birch", "cedar", "daisy", "elder", "ferns", "grass", "hazel", "ivory", "jades")
    return [text.corpus.Article(f"Article {name}", tuple(f"{name} " + SAID * 5 for _ in range(3))) for name in names]


def rows(path: Path) -> list:
    return [tuple(line.split("\t")) for line in path.read_text().splitlines()]


def test_articles_are_in_one_split_each(text: SimpleNamespace, tmp_path: Path) -> None:
    text.corpus.write(articles(text), tmp_path, {"train": 8, "valid": 2, "test": 2}, seed=1)
    raw = {split: (tmp_path / "text" / f"{split}.txt").read_text() for split in ("train", "valid")}
    assert not (tmp_path / "text" / "test.txt").exists()
    assert "ferns" in raw["valid"]
    assert not {"ferns", "grass"} & set(raw["train"].split())
    assert "grass" not in raw["valid"]
    for split, count in (("train", 8), ("valid", 2), ("test", 2)):
        header, *labelled = rows(tmp_path / "labelled" / f"{split}.tsv")
        assert header == ("label", "sentence")
        assert sorted(label for label, _ in labelled) == ["misspelt"] * (count // 2) + ["right"] * (count // 2)


def test_a_misspelt_snippet_has_one_word_that_no_article_has(text: SimpleNamespace) -> None:
    words = set(SAID.lower().replace(".", "").split())
    made = text.corpus.snippets([SAID * 40], words, 40, random.Random(1))
    assert len(made) == 40
    for label, snippet in made:
        unknown = [word for word in snippet.lower().replace(".", "").split() if word not in words]
        assert len(unknown) == (label == "misspelt")
        assert 4 <= len(snippet.split()) <= 6


def test_a_swap_that_makes_another_word_is_no_mistake(text: SimpleNamespace) -> None:
    assert text.corpus.misspelt("ab", {"ba"}, random.Random(1)) is None
    assert text.corpus.misspelt("aa", {"aa"}, random.Random(1)) is None
    assert text.corpus.misspelt("ab", {"ab"}, random.Random(1)) == "ba"


@pytest.mark.parametrize("method", [1, 2])
def test_both_trainings_with_labels_differ_in_their_start_only(text: SimpleNamespace, method: int) -> None:
    commands = {stage.name: stage.command for stage in text.run.stages(text.run.METHODS[method], 1, "out")}
    pretrained = set(commands["finetune"]) - {"checkpoint.save_dir=out/finetune"}
    scratch = set(commands["scratch"]) - {"checkpoint.save_dir=out/scratch"}
    assert scratch - pretrained == {"model.no_pretrained_weights=true"}
    assert not pretrained - scratch


def test_accuracy_is_the_last_that_was_printed(text: SimpleNamespace, tmp_path: Path) -> None:
    log = tmp_path / "test.log"
    log.write_text('x {"test_loss": "3.1", "test_accuracy": "40.5"}\nx {"test_accuracy": "41.25", "y": "1"}\n')
    assert read_accuracy(log) == 41.25
    log.write_text("nothing\n")
    with pytest.raises(ValueError, match="printed no accuracy"):
        read_accuracy(log)


def test_majority_is_the_share_of_the_largest_class(text: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "test.tsv").write_text("label\tsentence\na\tx\na\ty\nb\tz\n")
    assert text.run.majority(tmp_path / "test.tsv") == (3, pytest.approx(200 / 3))
