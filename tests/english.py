"""Small real English for tests: the reference pages that every Python carries in its standard library."""

import pydoc_data.topics
import random
import re
from pathlib import Path
from typing import List

from speech import run

SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")


def paragraphs() -> List[str]:
    """Paragraphs of 60 characters and more, about 0.4 million in all."""
    pages = "\n\n".join(pydoc_data.topics.topics[name] for name in sorted(pydoc_data.topics.topics))
    joined = (" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", pages))
    return [paragraph for paragraph in joined if len(paragraph) > 60]


def write_english(folder: Path, count: int = 300, subwords: int = 400) -> Path:
    """train.txt and valid.txt of raw text, documents apart by empty lines, with subwords and dictionary."""
    folder.mkdir(parents=True, exist_ok=True)
    chosen = random.Random(1).sample(paragraphs(), count)
    for split, lines in (("train", chosen[: count * 9 // 10]), ("valid", chosen[count * 9 // 10 :])):
        documents = [line + ("\n" if number % 5 == 4 else "") for number, line in enumerate(lines)]
        (folder / f"{split}.txt").write_text("\n".join(documents).rstrip("\n") + "\n", encoding="utf-8")
    run(["data2vec", "subwords", str(folder / "train.txt"), "--out", str(folder), f"--size={subwords}"])
    return folder


def write_labelled(folder: Path, count: int = 60) -> Path:
    """Sentences, and whether they speak of a class: train.tsv, valid.tsv, test.tsv."""
    folder.mkdir(parents=True, exist_ok=True)
    sentences = [s for paragraph in paragraphs() for s in SENTENCE_END.split(paragraph) if 5 < len(s.split()) < 25]
    rng = random.Random(2)
    rows = []
    for label, wanted in (("class", True), ("other", False)):
        fitting = [s for s in sentences if ("class" in s) == wanted and "\t" not in s]
        rows += [(label, sentence) for sentence in rng.sample(fitting, count // 2)]
    rng.shuffle(rows)
    for split, part in (("train", rows[: count // 2]), ("valid", rows[count // 2 :]), ("test", rows[: count // 4])):
        text = "label\tsentence\n" + "".join(f"{label}\t{sentence}\n" for label, sentence in part)
        (folder / f"{split}.tsv").write_text(text, encoding="utf-8")
    return folder
