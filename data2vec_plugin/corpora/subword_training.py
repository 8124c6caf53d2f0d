"""`data2vec subwords`: learn SentencePiece subwords from raw text, and write the dictionary that goes with them.

OUT/spm.model cuts text, OUT/dict.txt counts its pieces in the text, most frequent first: what `task.bpe=sentencepiece`
looks for beside train.txt and valid.txt.
"""

import argparse
from collections import Counter
from pathlib import Path
from typing import Any, Iterator, List, Sequence

from data2vec_plugin.files.manifests import write_atomically
from data2vec_plugin.files.text_lines import decoded

LEFT_TO_FAIRSEQ = {"<unk>", "<s>", "</s>", "<pad>", "<mask>"}
"""Symbols that every dictionary of fairseq has, or that its tasks add."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("text", nargs="+", type=Path, help="text files, a sentence or paragraph a line")
    parser.add_argument("--out", type=Path, required=True, help="folder for spm.model and dict.txt")
    parser.add_argument("--size", type=int, default=8_000, help="how many subwords (8000)")
    parser.add_argument("--kind", choices=("unigram", "bpe"), default="unigram", help="SentencePiece's model (unigram)")
    parser.add_argument("--sentences", type=int, default=2_000_000, help="learn from a sample of so many lines")


def run(args: argparse.Namespace) -> int:
    """Learn, count, write."""
    for path in args.text:
        if not path.is_file():
            raise ValueError(f"{path} does not exist; give text files")
    args.out.mkdir(parents=True, exist_ok=True)
    model = args.out / "spm.model"
    learn(args.text, model, args.size, args.kind, args.sentences)
    counts = count(args.text, model)
    write_atomically(args.out / "dict.txt", "".join(f"{piece} {number}\n" for piece, number in counts))
    print(f"{model}: {len(counts):,} subwords\n{args.out / 'dict.txt'}")
    return 0


def learn(texts: Sequence[Path], model: Path, size: int, kind: str, sentences: int) -> None:
    """Train SentencePiece; raises ValueError where the text does not give as many subwords."""
    processor = sentencepiece()
    try:
        processor.SentencePieceTrainer.train(
            input=",".join(map(str, texts)),
            model_prefix=str(model.with_suffix("")),
            vocab_size=size,
            model_type=kind,
            input_sentence_size=sentences,
            shuffle_input_sentence=True,
            character_coverage=0.9995,
            minloglevel=1,
        )
    except RuntimeError as error:
        raise ValueError(f"SentencePiece could not learn {size} subwords from this text: {error}") from error


def count(texts: Sequence[Path], model: Path) -> "list[tuple[str, int]]":
    """Every subword of the model with how often the texts hold it, most frequent first."""
    processor = sentencepiece().SentencePieceProcessor(model_file=str(model))
    pieces: List[str] = [processor.id_to_piece(index) for index in range(processor.get_piece_size())]
    counts = Counter(dict.fromkeys((piece for piece in pieces if piece not in LEFT_TO_FAIRSEQ), 0))
    for lines in batches(texts):
        for row in processor.encode(lines, out_type=str):
            counts.update(piece for piece in row if piece in counts)
    return counts.most_common()


def batches(texts: Sequence[Path], size: int = 10_000) -> Iterator[List[str]]:
    """The lines of all texts, many at a time, with progress."""
    from tqdm import tqdm

    batch: List[str] = []
    with tqdm(total=sum(path.stat().st_size for path in texts), unit="B", unit_scale=True, desc="count") as bar:
        for path in texts:
            for number, line in enumerate(path.open("rb"), start=1):
                bar.update(len(line))
                batch.append(decoded(path, number, line))
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
