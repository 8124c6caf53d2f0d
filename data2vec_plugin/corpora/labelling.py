"""`data2vec labels`: write the transcripts of a manifest as letters, for CTC.

For SPLIT.tsv: SPLIT.ltr (`T H E | D O G |`), SPLIT.wrd (`THE DOG`), and one dict.ltr.txt with the
letters of the training splits, most frequent first.
"""

import argparse
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Optional

from data2vec_plugin.files.manifests import Clip, Manifest, line_of, read_csv, read_manifest, some, write_atomically
from data2vec_plugin.files.text_lines import read_lines

BOUNDARY = "|"
DICTIONARY = "dict.ltr.txt"
APOSTROPHES = str.maketrans("\u2018\u2019\u02bc\u2032`\u00b4", "''''''")
CASES: dict[str, Callable[[str], str]] = {"upper": str.upper, "lower": str.lower, "keep": str}


@dataclass
class Split:
    """A manifest and the words of each of its clips; None where there is no transcript."""

    path: Path
    manifest: Manifest
    texts: list[Optional[str]]

    @property
    def name(self) -> str:
        """The split's name, e.g. train-clean-100."""
        return self.path.stem

    def letters(self) -> Counter[str]:
        """Count every symbol of the split's .ltr file."""
        return Counter(symbol for text in self.texts if text for symbol in spell(text).split())


@dataclass
class Transcripts:
    """Finds what is said in a clip: in a CSV, or else beside the audio."""

    csv: Optional[Path] = None
    _by_folder: dict[Path, dict[str, str]] = field(default_factory=dict)
    _by_name: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.csv:
            for row in read_csv(self.csv, ["path", "text"]):
                key = _key(row.fields["path"])
                if key in self._by_name:
                    raise ValueError(f"{self.csv}, line {row.line}: {key} has a text already")
                self._by_name[key] = row.fields["text"]

    def find(self, root: Path, clip: Clip) -> Optional[str]:
        """Return the raw transcript of a clip, or None."""
        file = root / clip.path
        if self.csv:
            names = (clip.path, str(file), file.name)
            return next((self._by_name[_key(n)] for n in names if _key(n) in self._by_name), None)
        if file.parent not in self._by_folder:
            self._by_folder[file.parent] = read_transcripts(file.parent)
        text = self._by_folder[file.parent].get(file.stem)
        beside = file.with_suffix(".txt")
        if text is None and beside.is_file():
            text = beside.read_text(encoding="utf-8")
        return text


def _key(name: str) -> str:
    """Name a clip without its extension: a resampled copy has another one."""
    return str(Path(name).with_suffix(""))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec labels`."""
    add = parser.add_argument
    add("manifests", nargs="+", type=Path, metavar="MANIFEST", help="TSV files, or folders of them")
    add("--csv", type=Path, help="take the transcripts from this table: path, text")
    add("--out", type=Path, help="folder for the labels and their manifests (beside the TSV)")
    add("--case", choices=sorted(CASES), default="upper", help="of the letters (upper)")
    add(
        "--dict-from",
        metavar="SPLITS",
        help="splits whose letters make the dictionary, with commas (those named train…)",
    )
    add("--dict", type=Path, metavar="FILE", help="check against this dictionary, make none")
    add("--skip-missing", action="store_true", help="drop clips without transcript, say how many")


def run(args: argparse.Namespace) -> int:
    """Write the labels and the dictionary, after everything has been checked.

    Raises:
        ValueError: a transcript is missing or empty, or has a letter outside the dictionary.
    """
    transcripts, dropped = Transcripts(args.csv), Counter[str]()
    splits = [load(path, transcripts, args.case, dropped) for path in manifest_paths(args.manifests)]
    for split in splits:
        check_transcripts(split, args.skip_missing)
    report_dropped(dropped)
    known = read_dictionary(args.dict) if args.dict else count_letters(splits, args.dict_from)
    for split in splits:
        check_letters(split, known, args.dict)
    folder = args.out or splits[0].path.parent
    if not args.dict:
        lines = sorted(known.items(), key=lambda item: (-item[1], item[0]))
        text = "".join(f"{symbol} {count}\n" for symbol, count in lines)
        write_atomically(folder / DICTIONARY, text)
        print(f"{folder / DICTIONARY}: {len(known)} symbols")
    for split in splits:
        write(split, args.out or split.path.parent)
    return 0


def manifest_paths(paths: Iterable[Path]) -> list[Path]:
    """Replace folders by the TSV files in them."""
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.glob("*.tsv")) if path.is_dir() else [path]
        if not inside:
            raise ValueError(f"{path}: no .tsv in this folder; `data2vec manifest DIR` writes them")
        found += inside
    return found


def load(path: Path, transcripts: Transcripts, case: str, dropped: Counter[str]) -> Split:
    """Read a manifest and find and clean its transcripts; count what cleaning drops."""
    from tqdm import tqdm

    manifest = read_manifest(path)
    texts: list[Optional[str]] = []
    for clip in tqdm(manifest.clips, path.name, unit="clip"):
        raw = transcripts.find(manifest.root, clip)
        texts.append(None if raw is None else clean(raw, case, dropped) or None)
    return Split(path, manifest, texts)


def read_transcripts(folder: Path) -> dict[str, str]:
    """Read the `*.trans.txt` of a LibriSpeech folder: an utterance's id and its words a line.

    Raises:
        ValueError: an id comes twice.
    """
    texts: dict[str, str] = {}
    for file in sorted(folder.glob("*.trans.txt")):
        for number, line in enumerate(read_lines(file), 1):
            name, _, text = line.strip().partition(" ")
            if name in texts:
                raise ValueError(f"{file}, line {number}: {name} has a transcript already")
            if name:
                texts[name] = text
    return texts


def clean(text: str, case: str, dropped: Counter[str]) -> str:
    """Return the words of a text, of letters and apostrophes only; count what is left out.

    A dropped character becomes a word boundary, so that `well-known` stays two words.
    """
    text = CASES[case](unicodedata.normalize("NFKC", text).translate(APOSTROPHES))
    kept = []
    for character in text:
        letter = unicodedata.category(character)[0] in "LM" or character == "'"
        kept.append(character if letter else " ")
        if not (letter or character.isspace()):
            dropped[character] += 1
    return " ".join(word for word in "".join(kept).split() if word.strip("'"))


def spell(text: str) -> str:
    """Write words as letters, each word closed by a boundary: `T H E | D O G |`."""
    return " ".join(" ".join(word) + f" {BOUNDARY}" for word in text.split())


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
            else "add it, or give --skip-missing to leave such clips out"
        )
        raise ValueError(
            f"{split.path}, line {first}: no transcript, or an empty one, for {clip.path} "
            f"({len(missing)} of {len(pairs)} clips); expected a line in a .trans.txt beside it, a "
            f".txt of its name, or --csv FILE; {hint}"
        )
    names = some(pairs[index][0].path for index in missing)
    print(f"{split.path}: left out {len(missing)} without transcript: {names}", file=sys.stderr)
    kept = [(clip, text) for clip, text in pairs if text is not None]
    split.manifest = Manifest(split.manifest.root, tuple(clip for clip, _ in kept))
    split.texts = [text for _, text in kept]


def report_dropped(dropped: Counter[str]) -> None:
    """Print which characters were left out and how often."""
    if dropped:
        counts = ", ".join(f"{character!r} {count}" for character, count in dropped.most_common())
        print(f"dropped {sum(dropped.values())} characters: {counts}", file=sys.stderr)
    if any(character.isdigit() for character in dropped):
        print("digits are dropped as well: write numbers as words", file=sys.stderr)


def count_letters(splits: list[Split], dict_from: Optional[str]) -> Counter[str]:
    """Count the letters of the splits that make the dictionary.

    Raises:
        ValueError: there is no such split.
    """
    names = [split.name for split in splits]
    chosen = dict_from.split(",") if dict_from else [n for n in names if n.startswith("train")]
    unknown = [name for name in chosen if name not in names]
    if unknown or not chosen:
        raise ValueError(
            f"no split {some(unknown) or 'named train…'} to make the dictionary from; "
            f"got {', '.join(names)}; name one of those with --dict-from, "
            "or give a dictionary that is there already with --dict"
        )
    return sum((split.letters() for split in splits if split.name in chosen), Counter())


def read_dictionary(path: Path) -> Counter[str]:
    """Read a fairseq dictionary: a symbol and its count a line.

    Raises:
        ValueError: the file is missing, or a line is not a symbol and a count.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such dictionary")
    known: Counter[str] = Counter()
    for number, line in enumerate(read_lines(path), 1):
        symbol, _, count = line.partition(" ")
        if not symbol or not count.split(" ")[0].isdigit():
            raise ValueError(f"{path}, line {number}: got {line!r}; expected a symbol and a count")
        known[symbol] = int(count.split(" ")[0])
    return known


def check_letters(split: Split, known: Counter[str], dictionary: Optional[Path]) -> None:
    """Raise ValueError for the first letter of a split that the dictionary lacks."""
    for index, (clip, text) in enumerate(zip(split.manifest.clips, split.texts)):
        for symbol in spell(text or "").split():
            if symbol not in known:
                raise ValueError(
                    f"{split.path}, line {line_of(index)}: the letter {symbol!r} of {clip.path} "
                    f"({text!r}) is not in {dictionary or 'the training splits'}, which have "
                    f"{''.join(sorted(known))!r}; correct the transcript, or take letters from "
                    "more splits with --dict-from"
                )


def write(split: Split, folder: Path) -> None:
    """Write a split's labels, and its manifest where that is new or has changed."""
    target = folder / split.path.name
    if not target.exists() or read_manifest(target) != split.manifest:
        write_atomically(target, split.manifest.text())
    words = [text or "" for text in split.texts]
    write_atomically(folder / f"{split.name}.wrd", "".join(f"{text}\n" for text in words))
    write_atomically(folder / f"{split.name}.ltr", "".join(f"{spell(text)}\n" for text in words))
    print(f"{folder / split.name}.ltr, .wrd: {len(words)} transcripts")
