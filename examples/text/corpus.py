"""Real English for the text quickstart, from a pip package: Wikipedia articles that gensim ships for its own tests.

OUT/text/train.txt and valid.txt hold paragraphs, with empty lines between articles; OUT/labelled/{train,valid,test}.tsv
hold snippets of a few words, in every other one two neighbouring letters are swapped. The snippets of valid and test
are from articles that are in none of the other files.

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
from typing import Optional

EXCERPT = "test/test_data/enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"
LEFTOVERS = re.compile(r"\[\[|\]\]|\{\{|\}\}|''+|&[a-z]+;|<[^>]*>")
WORDS = (4, 6)  # of a labelled snippet
PLAIN = re.compile(r"[A-Za-z,.'-]+")
LONG = re.compile(r"[a-z]{5,}")  # words that may get a typo; in shorter ones a swap often gives another word
PARAGRAPH = 80  # characters; shorter lines are headings or list entries
HELD_OUT = 10  # of this many articles one is for valid, the next for test
LABELS = ("right", "misspelt")


@dataclass(frozen=True)
class Article:
    """A title and its paragraphs, without markup."""

    title: str
    paragraphs: tuple[str, ...]


def read_articles() -> list[Article]:
    """Return the articles of gensim's excerpt that have text.

    Raises:
        SystemExit: gensim is not installed, or does not ship the excerpt.
    """
    found = find_spec("gensim")
    path = Path(found.origin or "").parent / EXCERPT if found else Path(EXCERPT)
    if not found or not path.is_file():
        raise SystemExit("the articles require the package gensim (4.x): pip install gensim")
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


def split_of(number: int) -> str:
    """Return the split that the article of this number belongs to."""
    return {HELD_OUT // 2: "valid", HELD_OUT // 2 + 1: "test"}.get(number % HELD_OUT, "train")


def misspelt(word: str, words: set[str], rng: random.Random) -> Optional[str]:
    """Return the word with two neighbouring letters swapped; None if that is another word, or the same."""
    at = rng.randrange(len(word) - 1)
    swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return None if swapped in words else swapped


def snippets(paragraphs: list[str], words: set[str], count: int, rng: random.Random) -> list[tuple[str, str]]:
    """Return labelled snippets, equally many with and without a typo, none of them overlapping."""
    rows: list[tuple[str, str]] = []
    places = [(tokens, at) for tokens in map(str.split, paragraphs) for at in range(0, len(tokens), WORDS[1])]
    rng.shuffle(places)
    for tokens, at in places:
        snippet = tokens[at : at + rng.randint(*WORDS)]
        long = [place for place, word in enumerate(snippet) if LONG.fullmatch(word)]
        if len(snippet) < WORDS[0] or not long or not all(map(PLAIN.fullmatch, snippet)):
            continue
        label = LABELS[len(rows) % 2]
        if label == "misspelt":
            place = rng.choice(long)
            wrong = misspelt(snippet[place], words, rng)
            if wrong is None:
                continue
            snippet[place] = wrong
        rows.append((label, " ".join(snippet)))
        if len(rows) == count:
            break
    return rows


def write(articles: list[Article], out: Path, counts: dict[str, int], seed: int) -> list[str]:
    """Write all files; return one line per file."""
    rng, said = random.Random(seed), []
    words = {
        word for article in articles for text in article.paragraphs for word in re.findall(r"[a-z]+", text.lower())
    }
    for split, count in counts.items():
        chosen = [article for number, article in enumerate(articles) if split_of(number) == split]
        paragraphs = [text for article in chosen for text in article.paragraphs]
        if split != "test":
            path = out / "text" / f"{split}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n\n".join("\n".join(article.paragraphs) for article in chosen) + "\n", encoding="utf-8")
            size = sum(map(len, paragraphs)) / 1e6
            said.append(
                f"{path}: {len(chosen)} articles, {len(paragraphs):,} paragraphs, {size:.2f} million characters"
            )
        rows = snippets(paragraphs, words, count, rng)
        rng.shuffle(rows)
        path = out / "labelled" / f"{split}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("label\tsentence\n" + "".join(f"{label}\t{text}\n" for label, text in rows), encoding="utf-8")
        said.append(f"{path}: {len(rows):,} snippets, every other one misspelt")
    return said


def main() -> int:
    """Write the corpus."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--labelled", type=int, default=4000, help="labelled snippets for training (default: 4000)")
    parser.add_argument(
        "--held-out", type=int, default=1000, help="most labelled snippets of valid and of test (default: 1000)"
    )
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    counts = {"train": args.labelled, "valid": args.held_out, "test": args.held_out}
    for line in write(read_articles(), args.out, counts, args.seed):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
