"""Write the data that fairseq's stock `sentence_prediction` task reads.

<task>/input0, input1: the sentences, each closed by </s>, and the checkpoint's dictionary; label: the class of each
example, with a dictionary of the labels in the order of the classes, or for a regression `<split>.label` as text.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.text.dictionary_file import load_dictionary
from ..files.text.dictionaries import normal_text
from ..files.text.text_lines import raw_lines
from ..files.writing import replacing_folder
from .encoders import Encode
from .files import Example, LeftOut, Source, read_examples
from .tasks import Task

if TYPE_CHECKING:
    from fairseq.data import Dictionary

DICTIONARY = "dict.txt"
MOST_UNKNOWN = 0.03  # share of all subwords; the right dictionary has all except rare characters


@dataclass
class SplitFacts:
    """Counts of an encoded file."""

    source: Source
    examples: int = 0
    subwords: int = 0
    unknown: int = 0  # of the subwords
    too_long: int = 0  # examples with more tokens than the model has positions
    left_out: list[LeftOut] = field(default_factory=list)


def write_task(
    sources: list[Source], out: Path, encode: Encode, dictionary_path: Path, max_positions: int
) -> list[SplitFacts]:
    """Write all splits of a task to `out`/<task>, which is replaced when everything is written.

    Raises:
        ValueError: a file is not in GLUE's format, or the dictionary is not that of the subwords.
    """
    task, dictionary = sources[0].task, load_dictionary(dictionary_path)
    with replacing_folder(out / task.name) as folder:
        for column in range(len(task.sentences)):
            (folder / f"input{column}").mkdir(parents=True)
            (folder / f"input{column}" / DICTIONARY).write_text(normal_text(dictionary_path), encoding="utf-8")
        (folder / "label").mkdir()
        if not task.regression:
            label_dictionary(task).save(str(folder / "label" / DICTIONARY))
        facts = [write_split(source, folder, encode, dictionary, max_positions) for source in sources]
        check_known(facts, dictionary_path, len(dictionary))
    return facts


def label_dictionary(task: Task) -> Dictionary:
    """The task's labels in the order of its classes: `sentence_prediction` subtracts the special symbols."""
    from fairseq.data import Dictionary

    dictionary = Dictionary()
    for label in task.labels:
        dictionary.add_symbol(label)
    return dictionary


def write_split(source: Source, folder: Path, encode: Encode, dictionary: Dictionary, max_positions: int) -> SplitFacts:
    """Write one file's sentences and labels; return its counts."""
    facts = SplitFacts(source)
    with ExitStack() as stack:
        inputs = [
            stack.enter_context(indexed(folder / f"input{column}" / source.split, len(dictionary)))
            for column in range(len(source.task.sentences))
        ]
        add_label = stack.enter_context(labels(source, folder / "label" / source.split))
        for example in with_progress(source, facts.left_out):
            rows = [encode(sentence) for sentence in example.sentences]
            for add, row in zip(inputs, rows):
                numbers = [dictionary.index(symbol) for symbol in row]
                facts.subwords += len(numbers)
                facts.unknown += numbers.count(dictionary.unk())
                add([*numbers, dictionary.eos()])
            add_label(example.label)
            facts.examples += 1
            facts.too_long += sum(map(len, rows)) + 2 * len(rows) > max_positions  # <s> a </s>, </s> b </s>
    return facts


@contextmanager
def indexed(prefix: Path, symbols: int) -> Iterator[Any]:
    """A function that appends a row of numbers to one of fairseq's memory-mapped data sets."""
    import torch
    from fairseq.data import indexed_dataset

    builder = indexed_dataset.make_builder(f"{prefix}.bin", impl="mmap", vocab_size=symbols)
    yield lambda numbers: builder.add_item(torch.tensor(numbers, dtype=torch.int32))
    builder.finalize(f"{prefix}.idx")


@contextmanager
def labels(source: Source, prefix: Path) -> Iterator[Any]:
    """A function that appends a label; a test set has none."""
    if not source.labelled:
        yield lambda label: None
    elif source.task.regression:
        with open(f"{prefix}.label", "w", encoding="utf-8") as file:
            yield lambda label: file.write(f"{label}\n")
    else:
        dictionary = label_dictionary(source.task)
        with indexed(prefix, len(dictionary)) as add:
            yield lambda label: add([dictionary.index(label), dictionary.eos()])


def with_progress(source: Source, left_out: list[LeftOut]) -> Iterator[Example]:
    """The examples of a file, with a progress bar over its lines."""
    from tqdm import tqdm

    lines = sum(1 for _ in raw_lines(source.path))
    with tqdm(total=lines, desc=f"{source.task.name} {source.split}", unit="line", leave=False, disable=None) as bar:
        for example in read_examples(source, left_out):
            bar.update(example.line - bar.n)
            yield example


def check_known(facts: list[SplitFacts], dictionary: Path, symbols: int) -> None:
    """Raise ValueError if too many of a task's subwords are not in the dictionary."""
    share = unknown_share(facts)
    if share > MOST_UNKNOWN:
        raise ValueError(
            f"{dictionary}: {share:.1%} of the subwords of {facts[0].source.task.folder} are not among its "
            f"{symbols} symbols; expected less than {MOST_UNKNOWN:.0%}: this dictionary is not that of the subwords; "
            "give --dict the dict.txt of the checkpoint, and --gpt2-bpe or --sentencepiece what it was trained with"
        )


def unknown_share(facts: list[SplitFacts]) -> float:
    """The share of a task's subwords that the dictionary does not have."""
    return sum(split.unknown for split in facts) / max(sum(split.subwords for split in facts), 1)
