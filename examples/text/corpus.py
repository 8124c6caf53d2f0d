"""Real English for the text quickstart, out of a pip package: Wikipedia articles that gensim ships for its own tests.

OUT/text/train.txt and valid.txt hold paragraphs, articles apart by an empty line; OUT/labelled/{train,valid,test}.tsv
hold single sentences and the article that each is from. The sentences of valid and test come from the last parts of
their articles and are in none of the other files.

    pip install gensim
    python examples/text/corpus.py --out outputs/quickstart-text/corpus
"""

import argparse
import random
import re
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

EXCERPT = "test/test_data/enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'])")
LEFTOVERS = re.compile(r"\[\[|\]\]|\{\{|\}\}|''+|&[a-z]+;|<[^>]*>")
WORDS = (8, 40)  # of a labelled sentence
PARAGRAPH = 80  # characters; what is shorter is a heading or a list entry
HELD_OUT = 0.3  # of the paragraphs of an article that is a class: half for valid, half for test


@dataclass(frozen=True)
class Article:
    """A title and its paragraphs, without markup."""

    title: str
    paragraphs: tuple[str, ...]

    def cut(self) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """Return its paragraphs for training, valid and test, in the order of the article."""
        held_out = max(2, round(HELD_OUT * len(self.paragraphs)))
        seen, middle = len(self.paragraphs) - held_out, len(self.paragraphs) - held_out // 2
        return self.paragraphs[:seen], self.paragraphs[seen:middle], self.paragraphs[middle:]


def read_articles() -> list[Article]:
    """Return the articles of gensim's excerpt that have text.

    Raises:
        SystemExit: gensim is not installed, or does not ship the excerpt.
    """
    found = find_spec("gensim")
    path = Path(found.origin or "").parent / EXCERPT if found else Path(EXCERPT)
    if not found or not path.is_file():
        raise SystemExit("the articles are in the package gensim (4.x): pip install gensim")
    import bz2

    from gensim.corpora.wikicorpus import extract_pages, filter_wiki

    articles = []
    with bz2.open(path) as file:
        for title, text, _ in extract_pages(file, ("0",)):
            lines = (" ".join(LEFTOVERS.sub(" ", line).split()) for line in filter_wiki(text).splitlines())
            paragraphs = tuple(line for line in lines if len(line) >= PARAGRAPH and line[0] not in "*#|!:=")
            if paragraphs:
                articles.append(Article(title, paragraphs))
    return articles


def sentences(paragraphs: tuple[str, ...]) -> list[str]:
    """Return the sentences of a length that one can judge, each once."""
    found = (sentence for paragraph in paragraphs for sentence in SENTENCE_END.split(paragraph))
    return list(dict.fromkeys(s for s in found if WORDS[0] <= len(s.split()) <= WORDS[1] and "\t" not in s))


def classes(articles: list[Article], count: int) -> list[Article]:
    """Return the `count` articles with most text to hold out."""
    return sorted(articles, key=lambda article: -len(sentences(article.cut()[2])))[:count]


def write(articles: list[Article], out: Path, count: int, shots: int, test_shots: int, seed: int) -> list[str]:
    """Write all files; return what is in each, a line each."""
    rng = random.Random(seed)
    chosen = classes(articles, count)
    names = {article.title: re.sub(r"\W+", "_", article.title) for article in chosen}
    texts: dict[str, list[str]] = {"train": [], "valid": []}
    for number, article in enumerate(articles):
        paragraphs = article.cut()[0] if article.title in names else article.paragraphs
        split = "valid" if number % 20 == 7 and article.title not in names else "train"
        texts[split] += [*paragraphs, ""]
    said = []
    for split, lines in texts.items():
        path = out / "text" / f"{split}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines).rstrip("\n") + "\n", encoding="utf-8")
        said.append(
            f"{path}: {sum(map(bool, lines)):,} paragraphs, {sum(map(len, lines)) / 1e6:.2f} million characters"
        )
    for number, (split, limit) in enumerate((("train", shots), ("valid", test_shots), ("test", test_shots))):
        rows = []
        for article in chosen:
            found = sentences(article.cut()[number])
            rows += [(names[article.title], sentence) for sentence in rng.sample(found, min(limit, len(found)))]
        rng.shuffle(rows)
        path = out / "labelled" / f"{split}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("label\tsentence\n" + "".join(f"{label}\t{s}\n" for label, s in rows), encoding="utf-8")
        said.append(f"{path}: {len(rows):,} sentences of {count} articles")
    return said


def main() -> int:
    """Write the corpus."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--classes", type=int, default=12, help="articles to tell apart (12)")
    parser.add_argument("--shots", type=int, default=40, help="labelled sentences of each for training (40)")
    parser.add_argument("--test-shots", type=int, default=40, help="and for valid and test, at most (40)")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    for line in write(read_articles(), args.out, args.classes, args.shots, args.test_shots, args.seed):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
