"""Learns SentencePiece subwords from raw text, and writes their dictionary.

OUT/spm.model splits text, OUT/dict.txt lists its pieces with their counts in the text, most frequent first. The task
expects both next to train.txt and valid.txt for `task.bpe=sentencepiece`.
"""

from collections import Counter
from pathlib import Path
from typing import Any, Iterator, List, Sequence

from ..files.locks import writing
from ..files.text.text_lines import numbered_lines
from ..files.unusable import UnusableFileError
from ..files.writing import write_atomically

LEFT_TO_FAIRSEQ = {"<unk>", "<s>", "</s>", "<pad>", "<mask>"}
"""Symbols that every fairseq dictionary has, or that its tasks add."""


def train_subwords(texts: Sequence[Path], out: Path, size: int, kind: str, sentences: int) -> None:
    """Learn ``size`` subwords from a sample of ``sentences`` lines, count them in the texts, write both files.

    ``kind`` is SentencePiece's: ``unigram`` or ``bpe``. Raises ValueError for a text that is missing or not UTF-8.
    """
    for path in texts:
        if not path.is_file():
            raise UnusableFileError.of(path, "no such file; give text files")
    model = out / "spm.model"
    with writing(out):
        learn(texts, model, size, kind, sentences)
        counts = count(texts, model)
        write_atomically(out / "dict.txt", "".join(f"{piece} {number}\n" for piece, number in counts))
    print(f"{model}: {len(counts):,} subwords\n{out / 'dict.txt'}")


def learn(texts: Sequence[Path], model: Path, size: int, kind: str, sentences: int, coverage: float = 0.9995) -> None:
    """Train SentencePiece on the characters that cover the given share of the text.

    Raises ValueError if the text is too small for as many subwords.
    """
    processor = sentencepiece()
    try:
        processor.SentencePieceTrainer.train(
            input=",".join(map(str, texts)),
            model_prefix=str(model.with_suffix("")),
            vocab_size=size,
            model_type=kind,
            input_sentence_size=sentences,
            shuffle_input_sentence=True,
            character_coverage=coverage,
            minloglevel=1,
        )
    except RuntimeError as error:
        raise ValueError(f"SentencePiece could not learn {size} subwords from this text: {error}") from error


def count(texts: Sequence[Path], model: Path) -> "list[tuple[str, int]]":
    """Every subword of the model with its count in the texts, most frequent first."""
    processor = sentencepiece().SentencePieceProcessor(model_file=str(model))
    pieces: List[str] = [processor.id_to_piece(index) for index in range(processor.get_piece_size())]
    counts = Counter(dict.fromkeys((piece for piece in pieces if piece not in LEFT_TO_FAIRSEQ), 0))
    for lines in batches(texts):
        for row in processor.encode(lines, out_type=str):
            counts.update(piece for piece in row if piece in counts)
    return counts.most_common()


def batches(texts: Sequence[Path], size: int = 10_000) -> Iterator[List[str]]:
    """The lines of all texts in batches, with progress."""
    from tqdm import tqdm

    batch: List[str] = []
    with tqdm(total=sum(path.stat().st_size for path in texts), unit="B", unit_scale=True, desc="count") as bar:
        for path in texts:
            for _, line in numbered_lines(path, seen=bar.update):
                batch.append(line.strip())
                if len(batch) == size:
                    yield batch
                    batch = []
    if batch:
        yield batch


def sentencepiece() -> Any:
    """The package; raises ValueError with the command that installs it."""
    try:
        import sentencepiece as package
    except ImportError:
        raise ValueError("the package sentencepiece is missing: pip install sentencepiece") from None
    return package
