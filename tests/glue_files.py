"""A small GLUE download: all eight tasks in the official layout and dialects, with subwords to prepare it.

The sentences are made up here; nothing is copied from GLUE.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, Iterable, List, Sequence, Tuple

Row = Sequence[str]

SUBJECTS = ("the old baker", "a young pilot", "my neighbour", "the tall nurse", "our teacher", "a tired clerk")
VERBS = ("found", "painted", "sold", "lost", "praised", "repaired")
OBJECTS = ("a small boat", "the red door", 'a "rare" book', "two clocks", "the broken lamp", "a wooden chair")
TRAIN, DEV = 24, 12

MNLI_START = ("index", "promptID", "pairID", "genre", "sentence1_binary_parse", "sentence2_binary_parse")
MNLI_COLUMNS = (*MNLI_START, "sentence1_parse", "sentence2_parse", "sentence1", "sentence2")
MSR_HEADER = ("Quality", "#1 ID", "#2 ID", "#1 String", "#2 String")
STS_COLUMNS = ("index", "genre", "filename", "year", "old_index", "source1", "source2", "sentence1", "sentence2")


def sentence(number: int) -> str:
    """The number-th of 216 sentences, some with double quotes."""
    subject, rest = number % 6, number // 6
    return f"{SUBJECTS[subject]} {VERBS[(rest + subject) % 6]} {OBJECTS[(rest // 6 + subject) % 6]} ."


def pair(number: int, similar: bool) -> Tuple[str, str]:
    """Two sentences, with the same object or another one."""
    return sentence(number), sentence(number + 6 if similar else number + 38)


def write_lines(path: Path, rows: Iterable[Row], mark: bool = False, end: str = "\n") -> Path:
    """A tab-separated file without quoting, with a byte order mark or CRLF if wanted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join("\t".join(row) + end for row in rows)
    path.write_bytes((b"\xef\xbb\xbf" if mark else b"") + text.encode("utf-8"))
    return path


def write_glue(folder: Path, with_test: bool = True) -> Path:
    """All eight tasks, WNLI and the diagnostic set; 24 examples to train on and 12 of each dev set."""
    counts = {"train": range(TRAIN), "dev": range(TRAIN, TRAIN + DEV)}
    for split, numbers in counts.items():
        write_single(folder, split, numbers)
        write_pairs(folder, split, numbers)
    write_mnli(folder, counts)
    write_mrpc(folder / "MRPC", TRAIN, DEV, with_test)
    if with_test:
        write_tests(folder, range(100, 108))
    write_lines(folder / "WNLI" / "train.tsv", [("index", "sentence1", "sentence2", "label")])
    write_lines(folder / "AX" / "AX.tsv", [("index", "sentence1", "sentence2")])
    return folder


def write_single(folder: Path, split: str, numbers: Iterable[int]) -> None:
    """CoLA, without a header, and SST-2, with blanks at the ends of its sentences."""
    cola = [("gj04", str(n % 2), "" if n % 2 else "*", sentence(n) if n % 2 else sentence(n)[::-1]) for n in numbers]
    write_lines(folder / "CoLA" / f"{split}.tsv", cola)
    sst = [(f"{sentence(n)} how {'wonderful' if n % 2 else 'dreadful'} ", str(n % 2)) for n in numbers]
    write_lines(folder / "SST-2" / f"{split}.tsv", [("sentence", "label"), *sst])


def write_pairs(folder: Path, split: str, numbers: Iterable[int]) -> None:
    """RTE, QNLI, QQP with its faulty lines, and STS-B."""
    answers = ("entailment", "not_entailment")
    rows = [(str(n), *pair(n, n % 2 == 0)) for n in numbers]
    nli = [(*row, answers[int(row[0]) % 2]) for row in rows]
    write_lines(folder / "RTE" / f"{split}.tsv", [("index", "sentence1", "sentence2", "label"), *nli])
    write_lines(folder / "QNLI" / f"{split}.tsv", [("index", "question", "sentence", "label"), *nli])
    qqp: List[Row] = [(n, n, n, f'"{first}', second, str(1 - int(n) % 2)) for n, first, second in rows]
    if split == "train":
        qqp[5:5] = [("90", "90", "90", "what is cut off ?"), ("91", "91", "91", "how so ?", "", "0")]
    write_lines(
        folder / "QQP" / f"{split}.tsv", [("id", "qid1", "qid2", "question1", "question2", "is_duplicate"), *qqp]
    )
    sts = [
        (n, "news", "made", "2026", n, "none", "none", first, second, f"{int(n) * 7 % 51 / 10:.3f}")
        for n, first, second in rows
    ]
    write_lines(folder / "STS-B" / f"{split}.tsv", [(*STS_COLUMNS, "score"), *sts])


def write_mnli(folder: Path, counts: Dict[str, range]) -> None:
    """MNLI with its two dev sets, whose files have more columns than the train file."""
    answers = ("entailment", "neutral", "contradiction")

    def rows(numbers: Iterable[int], votes: int) -> List[Row]:
        filler = ("1", "1e", "fiction", "( a )", "( b )", "(ROOT a)", "(ROOT b)")
        return [(str(n), *filler, *pair(n, n % 2 == 0), *[answers[n % 3]] * (votes + 1)) for n in numbers]

    def header(votes: int) -> Row:
        return (*MNLI_COLUMNS, *(f"label{vote + 1}" for vote in range(votes)), "gold_label")

    write_lines(folder / "MNLI" / "train.tsv", [header(1), *rows(counts["train"], 1)])
    write_lines(folder / "MNLI" / "dev_matched.tsv", [header(5), *rows(counts["dev"], 5)])
    write_lines(folder / "MNLI" / "dev_mismatched.tsv", [header(5), *rows(range(50, 50 + DEV), 5)])


def write_mrpc(folder: Path, train: int, dev: int, with_test: bool = True, raw: bool = False) -> None:
    """MRPC with a byte order mark and CRLF; `raw`: as it was published, with the dev ids beside it."""
    rows = [(str(1 - n % 2), str(1000 + n), str(2000 + n), *pair(n, n % 2 == 0)) for n in range(train + dev)]
    if raw:
        write_lines(folder / "msr_paraphrase_train.txt", [MSR_HEADER, *rows], mark=True, end="\r\n")
        write_lines(folder / "dev_ids.tsv", [row[1:3] for row in rows[train:]])
    else:
        write_lines(folder / "train.tsv", [MSR_HEADER, *rows[:train]], mark=True, end="\r\n")
        write_lines(folder / "dev.tsv", [MSR_HEADER, *rows[train:]], mark=True, end="\r\n")
    if with_test and raw:
        write_lines(folder / "msr_paraphrase_test.txt", [MSR_HEADER, *rows[:4]], mark=True, end="\r\n")
    elif with_test:
        write_lines(
            folder / "test.tsv", [("index", *MSR_HEADER[1:]), *(("0", *row[1:]) for row in rows[:4])], mark=True
        )


def write_tests(folder: Path, numbers: Iterable[int]) -> None:
    """The test sets of the others, which have no labels."""
    single = [(str(n), sentence(n)) for n in numbers]
    double = [(str(n), *pair(n, False)) for n in numbers]
    write_lines(folder / "CoLA" / "test.tsv", [("index", "sentence"), *single])
    write_lines(folder / "SST-2" / "test.tsv", [("index", "sentence"), *single])
    write_lines(folder / "RTE" / "test.tsv", [("index", "sentence1", "sentence2"), *double])
    write_lines(folder / "QNLI" / "test.tsv", [("index", "question", "sentence"), *double])
    write_lines(folder / "QQP" / "test.tsv", [("id", "question1", "question2"), *double, ("999", "", "why ?")])
    sts = [(n, *("none",) * 6, first, second) for n, first, second in double]
    write_lines(folder / "STS-B" / "test.tsv", [STS_COLUMNS, *sts])
    mnli = [(n, *("none",) * 7, first, second) for n, first, second in double]
    for kind in ("matched", "mismatched"):
        write_lines(folder / "MNLI" / f"test_{kind}.tsv", [MNLI_COLUMNS, *mnli])


def sentences() -> List[str]:
    """All that the files are made of."""
    extra = ['"', "how wonderful", "how dreadful", "what is cut off ?", "how so ?", "why ?"]
    return [sentence(n) for n in range(216)] + [sentence(n)[::-1] for n in range(36)] + extra


def write_sentencepiece(folder: Path, symbols: int = 160) -> Tuple[Path, Path]:
    """A SentencePiece model of those sentences and its dict.txt."""
    import sentencepiece

    folder.mkdir(parents=True, exist_ok=True)
    sentencepiece.SentencePieceTrainer.Train(
        sentence_iterator=iter(sentences()),
        model_prefix=str(folder / "spm"),
        vocab_size=symbols,
        character_coverage=1.0,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    vocabulary = (folder / "spm.vocab").read_text(encoding="utf-8").split("\n")
    pieces = [line.split("\t")[0] for line in vocabulary if line]
    return folder / "spm.model", write_dictionary(folder / "dict.txt", pieces[3:])  # less <unk>, <s> and </s>


def write_gpt2_bpe(folder: Path) -> Tuple[Path, Path]:
    """GPT-2's files in small: its 256 bytes and a few merges; with their dict.txt."""
    from fairseq.data.encoders.gpt2_bpe_utils import bytes_to_unicode

    folder.mkdir(parents=True, exist_ok=True)
    merges = [("t", "h"), ("th", "e"), ("\u0120", "a"), ("r", "e"), ("\u0120", "the")]
    symbols = [*bytes_to_unicode().values(), *("".join(merge) for merge in merges)]
    (folder / "encoder.json").write_text(json.dumps({symbol: number for number, symbol in enumerate(symbols)}))
    lines = ["#version: 0.2", *(" ".join(merge) for merge in merges), ""]
    (folder / "vocab.bpe").write_text("\n".join(lines), encoding="utf-8")
    return folder, write_dictionary(folder / "dict.txt", map(str, range(len(symbols))))


def write_dictionary(path: Path, symbols: Iterable[str]) -> Path:
    """A fairseq dictionary."""
    path.write_text("".join(f"{symbol} 1\n" for symbol in symbols), encoding="utf-8")
    return path
