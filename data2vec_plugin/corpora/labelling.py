"""Transcripts of manifests as letters, subwords or words, for CTC.

For SPLIT.tsv: SPLIT.ltr (`T H E | D O G |`), SPLIT.wrd (`THE DOG`), and one dict.ltr.txt with the
letters of the training splits, most frequent first. Subwords: SPLIT.bpe, dict.bpe.txt, spm.model; words: dict.wrd.txt.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from ..files.locks import writing
from ..files.text.dictionaries import read_entries
from ..files.text.manifests import Manifest, line_of, read_manifest
from ..files.unusable import UnusableFileError, some
from ..files.writing import write_atomically
from .spelling import Losses, clean
from .transcript_search import FoundTranscripts, TableOfTranscripts
from .units import Units, UnitSettings, make_units

USUAL = "ltr"
"""The default extension of label files in recipes."""


@dataclass
class Split:
    """A manifest and the words of each of its clips; None for a clip without transcript."""

    path: Path
    manifest: Manifest
    texts: list[Optional[str]]

    @property
    def name(self) -> str:
        """The split's name, e.g. train-clean-100."""
        return self.path.stem

    def symbols(self, units: Units) -> Counter[str]:
        """Count every symbol of the split's labels."""
        return Counter(symbol for text in self.texts if text for symbol in units.split(text))


@dataclass(frozen=True)
class Labelling:
    """What to label, and how."""

    manifests: Sequence[Path]
    """TSV files, or folders of them."""
    csv: Optional[Path] = None
    """Table of transcripts with columns path and text."""
    out: Optional[Path] = None
    case: str = "upper"
    """Case of the letters: upper, lower or keep."""
    dict_from: Optional[str] = None
    """Comma-separated splits that the dictionary is built from."""
    dict: Optional[Path] = None
    """A dictionary to check against, instead of building one."""
    skip_missing: bool = False
    units: UnitSettings = field(default_factory=UnitSettings)


def write_labels(args: Labelling) -> None:
    """Write the labels and the dictionary, after everything has been checked.

    Raises:
        ValueError: a transcript is missing or empty, or has a letter outside the dictionary, or another command is
            writing to the folder.
    """
    folders = [args.out] if args.out else [path.parent for path in manifest_paths(args.manifests)]
    with writing(*folders):
        _write_labels(args)


def _write_labels(args: Labelling) -> None:
    losses = Losses()
    splits = read_splits(args, losses)
    for split in splits:
        check_transcripts(split, args.skip_missing)
    report_losses(losses, args.case)
    folder = args.out or splits[0].path.parent
    chosen = [] if args.dict else splits_of_dictionary(splits, args.dict_from)
    units = make_units(args.units, (text for split in chosen for text in split.texts if text), folder)
    known = read_dictionary(args.dict) if args.dict else sum((split.symbols(units) for split in chosen), Counter())
    for split in splits:
        check_symbols(split, units, known, args.dict)
    if not args.dict:
        write_dictionary(folder / f"dict.{units.ending}.txt", known)
    for split in splits:
        write(split, units, args.out or split.path.parent)
    if units.ending != USUAL:
        print(f"train with `task.labels={units.ending} +criterion.post_process={units.post_process}`")


def read_splits(args: Labelling, losses: Losses) -> list[Split]:
    """Read the manifests; find and clean their transcripts."""
    from tqdm import tqdm

    manifests = {path: read_manifest(path) for path in manifest_paths(args.manifests)}
    transcripts = TableOfTranscripts(args.csv, list(manifests.values())) if args.csv else FoundTranscripts()
    splits = []
    for path, manifest in manifests.items():
        texts: list[Optional[str]] = []
        for clip in tqdm(manifest.clips, path.name, unit="clip"):
            raw = transcripts.find(manifest.root, clip)
            texts.append(None if raw is None else clean(raw, args.case, losses) or None)
        splits.append(Split(path, manifest, texts))
    return splits


def manifest_paths(paths: Iterable[Path]) -> list[Path]:
    """Replace folders by the TSV files in them."""
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.glob("*.tsv")) if path.is_dir() else [path]
        if not inside:
            raise ValueError(f"{path}: no .tsv in this folder; write manifests with `data2vec manifest DIR`")
        found += inside
    return found


def check_transcripts(split: Split, skip: bool) -> None:
    """Raise ValueError for clips that have no transcript, or drop them if `skip`."""
    pairs = list(zip(split.manifest.clips, split.texts))
    missing = [index for index, text in enumerate(split.texts) if text is None]
    if not missing:
        return
    first, clip = line_of(missing[0]), pairs[missing[0]][0]
    if not skip or len(missing) == len(pairs):
        hint = (
            "name only the manifests that have labels"
            if len(missing) == len(pairs)
            else "add it, or skip such clips with --skip-missing"
        )
        raise UnusableFileError.of(
            split.path,
            f"no transcript, or an empty one, for {clip.path} ({len(missing)} of {len(pairs)} clips); expected a line "
            f"in a .trans.txt next to it, a .txt with its name, or --csv FILE; {hint}",
            first,
        )
    names = some(pairs[index][0].path for index in missing)
    print(f"{split.path}: skipped {len(missing)} clips without transcript: {names}", file=sys.stderr)
    kept = [(clip, text) for clip, text in pairs if text is not None]
    split.manifest = Manifest(split.manifest.root, tuple(clip for clip, _ in kept))
    split.texts = [text for _, text in kept]


def report_losses(losses: Losses, case: str) -> None:
    """Print which characters were dropped and how often, and which letters were merged by the case."""
    dropped = losses.dropped
    if dropped:
        counts = ", ".join(f"{character!r} {count}" for character, count in dropped.most_common())
        print(f"dropped {sum(dropped.values())} characters: {counts}", file=sys.stderr)
    if any(character.isdigit() for character in dropped):
        print("digits are dropped as well: write numbers as words", file=sys.stderr)
    if losses.merged:
        counts = ", ".join(f"{old} became {new} {count} times" for (old, new), count in losses.merged.most_common())
        print(
            f"--case {case} merged letters with others: {counts}; to keep them distinct, give --case keep and texts in "
            f"the case that distinguishes them",
            file=sys.stderr,
        )


def splits_of_dictionary(splits: list[Split], dict_from: Optional[str]) -> list[Split]:
    """The splits that the dictionary is built from.

    Raises:
        ValueError: there is no such split.
    """
    names = [split.name for split in splits]
    chosen = dict_from.split(",") if dict_from else [n for n in names if n.startswith("train")]
    unknown = [name for name in chosen if name not in names]
    if unknown or not chosen:
        raise ValueError(
            f"no split {some(unknown) or 'named train…'} to build the dictionary from; "
            f"got {', '.join(names)}; name one of those with --dict-from, "
            "or give an existing dictionary with --dict"
        )
    return [split for split in splits if split.name in chosen]


def read_dictionary(path: Path) -> Counter[str]:
    """The symbols of a fairseq dictionary and their counts; raises ValueError if the file is none."""
    return Counter({entry.symbol: entry.frequency for entry in read_entries(path)})


def write_dictionary(path: Path, known: Counter[str]) -> None:
    """Write symbols and their counts, the most frequent first."""
    lines = sorted(known.items(), key=lambda item: (-item[1], item[0]))
    write_atomically(path, "".join(f"{symbol} {count}\n" for symbol, count in lines))
    print(f"{path}: {len(known)} symbols")


def check_symbols(split: Split, units: Units, known: Counter[str], dictionary: Optional[Path]) -> None:
    """Raise ValueError for the first letter, subword or word of a split that the dictionary lacks."""
    for index, (clip, text) in enumerate(zip(split.manifest.clips, split.texts)):
        for symbol in units.split(text or ""):
            if symbol not in known:
                listed = "".join(sorted(known)) if units.ending == USUAL else some(sorted(known))
                raise UnusableFileError.of(
                    split.path,
                    f"the {units.noun} {symbol!r} of {clip.path} ({text!r}) is not in "
                    f"{dictionary or 'the training splits'}, which have {listed!r}; correct the transcript, or use "
                    f"{units.noun}s of more splits with --dict-from",
                    line_of(index),
                )


def write(split: Split, units: Units, folder: Path) -> None:
    """Write a split's labels, and its manifest if that is new or has changed."""
    target = folder / split.path.name
    if not target.exists() or read_manifest(target) != split.manifest:
        write_atomically(target, split.manifest.text())
    words = [text or "" for text in split.texts]
    write_atomically(folder / f"{split.name}.wrd", "".join(f"{text}\n" for text in words))
    labels = "".join(" ".join(units.split(text)) + "\n" for text in words)
    write_atomically(folder / f"{split.name}.{units.ending}", labels)
    endings = f".{units.ending}, .wrd" if units.ending != "wrd" else ".wrd"
    print(f"{folder / split.name}{endings}: {len(words)} transcripts")
