"""The text quickstart: what it takes out of articles, its commands, and the figures that it reads."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module")
def text() -> Iterator[SimpleNamespace]:
    folders = [str(EXAMPLES / "text"), str(EXAMPLES / "quickstart")]
    before = {name: sys.modules.pop(name, None) for name in ("run", "report", "stages")}
    sys.path[:0] = folders
    import corpus
    import report_text
    import run

    yield SimpleNamespace(corpus=corpus, report=report_text, run=run)
    sys.path = [path for path in sys.path if path not in folders]
    for name, module in before.items():
        sys.modules.pop(name, None)
        if module is not None:
            sys.modules[name] = module


def articles(text: SimpleNamespace) -> list:
    said = "Paragraph {n} of article {a} says that its words are counted. It also says where they end."
    return [text.corpus.Article(f"Article {a}", tuple(said.format(n=n, a=a) for n in range(10 + a))) for a in range(25)]


def test_what_is_tested_is_in_no_other_file(text: SimpleNamespace, tmp_path: Path) -> None:
    text.corpus.write(articles(text), tmp_path, count=3, shots=2, test_shots=2, seed=1)
    raw = "".join((tmp_path / "text" / f"{split}.txt").read_text() for split in ("train", "valid"))
    rows = {}
    for split in ("train", "valid", "test"):
        lines = (tmp_path / "labelled" / f"{split}.tsv").read_text().splitlines()
        assert lines[0] == "label\tsentence"
        rows[split] = {tuple(line.split("\t")) for line in lines[1:]}
        assert {label for label, _ in rows[split]} <= {f"Article_{a}" for a in (22, 23, 24)}
    for split in ("valid", "test"):
        told = [sentence for _, sentence in rows[split] if sentence.startswith("Paragraph")]
        assert told
        assert not [sentence for sentence in told if sentence in raw]
    assert all(sentence in raw for _, sentence in rows["train"])


def test_sentences_are_of_a_length_that_one_can_judge(text: SimpleNamespace) -> None:
    paragraph = "Too short. This one has just enough words to be judged. " + "Word " * 50 + "end."
    assert text.corpus.sentences((paragraph, paragraph)) == ["This one has just enough words to be judged."]


def test_both_trainings_with_labels_differ_in_their_start_only(text: SimpleNamespace) -> None:
    commands = {stage.name: stage.command for stage in text.run.stages(text.run.Profile(), 1, "out")}
    pretrained = set(commands["finetune"]) - {"checkpoint.save_dir=out/finetune"}
    scratch = set(commands["scratch"]) - {"checkpoint.save_dir=out/scratch"}
    assert scratch - pretrained == {"model.no_pretrained_weights=true"}
    assert not pretrained - scratch


def test_accuracy_is_the_last_that_was_printed(text: SimpleNamespace, tmp_path: Path) -> None:
    log = tmp_path / "test.log"
    log.write_text('x {"test_loss": "3.1", "test_accuracy": "40.5"}\nx {"test_accuracy": "41.25", "y": "1"}\n')
    assert text.report.read_accuracy(log) == 41.25
    log.write_text("nothing\n")
    with pytest.raises(ValueError, match="printed no accuracy"):
        text.report.read_accuracy(log)


def test_majority_is_the_share_of_the_largest_class(text: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "test.tsv").write_text("label\tsentence\na\tx\na\ty\nb\tz\n")
    assert text.run.majority(tmp_path / "test.tsv") == (3, pytest.approx(200 / 3))
