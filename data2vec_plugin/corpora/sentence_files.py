"""`data2vec sentences`: your own labelled sentences as fairseq's `sentence_prediction` task reads them.

DIR has train.tsv, valid.tsv and, if there is one, test.tsv, whose first line names the columns: `label`, and `sentence`
or `sentence1` and `sentence2`. The labels are those of train.tsv, in alphabetical order.
"""

import argparse
import math
from pathlib import Path
from typing import Tuple

from ..glue.binaries import load_dictionary, unknown_share, write_task
from ..glue.encoders import gpt2_bpe, sentencepiece
from ..glue.files import find_sources, read_lines
from ..glue.tasks import Task

FILES = (("train", "train.tsv"), ("valid", "valid.tsv"), ("test", "test.tsv"))
WRITTEN = {"input0", "input1", "label"}
LABEL, COLUMNS = "label", (("sentence",), ("sentence1", "sentence2"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("root", type=Path, metavar="DIR", help="with train.tsv, valid.tsv and perhaps test.tsv")
    parser.add_argument("--out", type=Path, required=True, help="folder for the binaries")
    subwords = parser.add_mutually_exclusive_group(required=True)
    subwords.add_argument("--gpt2-bpe", type=Path, metavar="FOLDER", help="with encoder.json and vocab.bpe")
    subwords.add_argument("--sentencepiece", type=Path, metavar="MODEL", help="a SentencePiece .model")
    parser.add_argument("--dict", type=Path, metavar="FILE", required=True, help="the checkpoint's dict.txt")
    parser.add_argument("--max-positions", type=int, default=512, metavar="N", help="count what has more tokens (512)")


def run(args: argparse.Namespace) -> int:
    """Read, encode, write."""
    load_dictionary(args.dict)
    check_out(args.out.resolve(), args.root.resolve())
    encode = gpt2_bpe(args.gpt2_bpe) if args.gpt2_bpe else sentencepiece(args.sentencepiece)
    task = own_task(args.root, args.out.resolve().name)
    sources = find_sources(args.root.resolve().parent, task)
    facts = write_task(sources, args.out.resolve().parent, encode, args.dict, args.max_positions)
    for split in facts:
        too_long = f", {split.too_long:,} with more than {args.max_positions} tokens" if split.too_long else ""
        left_out = f", {len(split.left_out):,} left out" if split.left_out else ""
        print(f"{split.source.split}: {split.examples:,} examples{left_out}{too_long}")
    print(f"{args.out}: {task.num_classes} classes, {unknown_share(facts):.2%} of the subwords unknown")
    print(f"train with task.num_classes={task.num_classes}")
    return 0


def check_out(out: Path, root: Path) -> None:
    """Raise ValueError for a folder that holds what is not ours to replace."""
    others = sorted({path.name for path in out.iterdir()} - WRITTEN) if out.is_dir() else []
    if others or out in (root, *root.parents):
        held = f"holds {', '.join(others[:3])}" if others else f"holds {root}"
        raise ValueError(f"--out {out} would be replaced, but {held}; give a folder of its own")


def own_task(root: Path, name: str) -> Task:
    """What the train file says of the task; raises ValueError for columns or labels that are none."""
    path = root / "train.tsv"
    if not path.is_file():
        raise ValueError(f"{path} does not exist; {root} should hold train.tsv and valid.tsv")
    rows = [line.split("\t") for _, line in read_lines(path)]
    header = [cell.strip() for cell in rows[0]] if rows else []
    sentences = next((columns for columns in COLUMNS if {LABEL, *columns} <= set(header)), None)
    if sentences is None:
        raise ValueError(
            f"{path}, line 1: got the columns {', '.join(header) or 'none'}; expected a header with `label` and "
            f"`sentence`, or `label`, `sentence1` and `sentence2`, a tab between them"
        )
    place = header.index(LABEL)
    labels = sorted({row[place].strip() for row in rows[1:] if len(row) > place} - {""})
    if len(labels) < 2:
        raise ValueError(f"{path}: its labels are {', '.join(labels) or 'none'}; expected two or more")
    spaced = [label for label in labels if " " in label]
    if spaced:
        raise ValueError(f"{path}: the label {spaced[0]!r} holds a space, which fairseq's dictionaries cannot")
    return _task(name, root, sentences, tuple(labels))


def _task(name: str, root: Path, sentences: Tuple[str, ...], labels: Tuple[str, ...]) -> Task:
    unpublished = (math.nan,)
    return Task(
        name=name,
        folder=root.resolve().name,
        sentences=sentences,
        label=LABEL,
        labels=labels,
        metric="accuracy",
        metric_title="acc",
        published=(unpublished, unpublished, unpublished),
        files=tuple((split, file) for split, file in FILES if split != "test" or (root / file).is_file()),
        labelled_test=True,
    )
