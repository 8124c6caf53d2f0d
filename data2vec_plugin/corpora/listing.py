"""Lists a folder's audio in the TSV files that fairseq reads.

One file per split: its first line is the root, then `relative path<TAB>number of samples`.
"""

import random
import re
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

from ..files.folders import PACKED, Walk
from ..files.locks import writing
from ..files.media.audio_headers import Header, Source, is_utf8, read_headers, resample_all
from ..files.media.durations import duration
from ..files.text.delimited import Row, read_table
from ..files.text.manifests import Clip, Manifest
from ..files.unusable import UnusableFileError, some
from ..files.writing import write_atomically

SPLIT_NAME = re.compile(
    r"(train|training|dev|valid|validation|val|eval|test|testing|unlabell?ed)(?![a-z])",
    re.IGNORECASE,
)
AUDIO = {"aac", "aif", "aiff", "au", "flac", "m4a", "mp3", "mp4", "ogg", "opus", "wav", "wma"}
OTHER_ENDING = "another extension than --ext"
DEFAULT_VALID_PERCENT = 1.0


@dataclass(frozen=True)
class Listing:
    """What to list, and how."""

    root: Optional[Path] = None
    """Folder with audio at any depth."""
    csv: Optional[Path] = None
    """Table of the files to list: path[, text][, split]."""
    out: Path = Path("data")
    ext: str = "flac,wav"
    split_by_folder: str = "auto"
    """yes, no, or auto: whether the top-level folders have names of splits."""
    valid_percent: Optional[float] = None
    seed: int = 1
    sample_rate: int = 16000
    """Sample rate in Hz."""
    resample_to: Optional[Path] = None
    decode: bool = False
    """Read each file to its end."""
    threads: int = 4


def write_manifests(args: Listing) -> None:
    """Write the manifests and print what they hold.

    Raises:
        ValueError: nothing to list, an unusable file name, another sample rate, or another command is writing there.
    """
    check_folder(args.resample_to)
    with writing(args.out, args.resample_to):
        _write_manifests(args)


def _write_manifests(args: Listing) -> None:
    root, sources, ignored = find(args)
    check_folder(root)
    print(f"{root}: {len(sources)} audio files")
    headers = read_headers(sources, args.threads, args.decode)
    good = without_faults(headers, ignored, args.csv or root)
    report_channels(good, bool(args.resample_to))
    if args.resample_to:
        root, copies = resample_all(good, args.resample_to, args.sample_rate, args.threads)
        good = without_faults(copies, [], args.csv or root)
        print(f"{root}: {len(good)} copies at {args.sample_rate} Hz, which the manifests list")
    check_sample_rate(good, args.sample_rate)
    for name, members in sorted(split(good, args).items()):
        clips = tuple(Clip(header.source.name, header.frames) for header in members)
        path = args.out / f"{name}.tsv"
        write_atomically(path, Manifest(root, clips).text())
        seconds = sum(clip.frames for clip in clips) / args.sample_rate
        print(f"{path}: {len(clips)} files, {duration(seconds)}")


def find(args: Listing) -> tuple[Path, list[Source], list[str]]:
    """Return the root, the audio files in order of name, and the skipped ones."""
    if (args.root is None) and (args.csv is None):
        raise ValueError("nothing to list: give a folder, or --csv FILE")
    if args.root is not None and not args.root.is_dir():
        raise ValueError(f"{args.root}: no such folder; expected a folder that holds audio")
    wanted = {item.strip().lstrip(".").lower() for item in args.ext.split(",") if item.strip()}
    if args.csv:
        root = (args.root or args.csv.parent).resolve()
        return root, [from_row(args.csv, root, row) for row in read_table(args.csv, ["path"])], []
    root = Path(args.root or "").resolve()
    others = {**PACKED, **{f".{kind}": OTHER_ENDING for kind in AUDIO - wanted}}
    walk = Walk(root, [f".{kind}" for kind in wanted], others, without=args.resample_to)
    names = sorted(walk.files(), key=lambda name: name.split("/"))
    sources, ignored = [Source(root / name, name) for name in names], walk.passed
    if not sources:
        raise ValueError(
            f"{root}: no file ends in {' or '.join(sorted(wanted))} at any depth "
            f"({ignored or 'nothing was skipped'}); give another folder, or another --ext"
        )
    return root, sources, ignored.lines()


def check_folder(folder: Optional[Path]) -> None:
    """Raise ValueError if a manifest's first line cannot hold the folder's name."""
    if folder is not None and not is_utf8(str(folder)):
        raise ValueError(f"{str(folder)!a}: this folder's name is not UTF-8, which manifests require; rename it")


def from_row(table: Path, root: Path, row: Row) -> Source:
    """Return the audio file that a line of a CSV names.

    Raises:
        ValueError: there is no such file.
    """
    file = root / row.fields["path"]
    if not file.is_file():
        raise UnusableFileError.of(
            table,
            f"no file {row.fields['path']!r} (looked for {file}); paths are relative to {root}, give DIR to change it",
            row.line,
        )
    name = file.relative_to(root).as_posix() if root in file.parents else str(file)
    return Source(file, name, row.fields.get("split") or None)


def without_faults(headers: list[Header], ignored: list[str], where: Path) -> list[Header]:
    """Return the files that can be listed, and print which are skipped.

    Raises:
        ValueError: none is left.
    """
    report_skipped(headers, ignored)
    good = [header for header in headers if not header.fault]
    if not good:
        raise ValueError(f"{where}: none of {len(headers)} audio files can be read")
    return good


def report_skipped(headers: Iterable[Header], ignored: list[str]) -> None:
    """Print how many files are skipped and why, with the first names."""
    reasons: dict[str, list[str]] = defaultdict(list)
    for header in headers:
        if header.fault:
            reasons[header.fault.split(" (")[0]].append(header.source.name)
    lines = [f"{len(names)}: {reason}: {some(names)}" for reason, names in sorted(reasons.items())]
    for line in lines + ignored:
        print(f"skipped {line}", file=sys.stderr)


def report_channels(headers: Iterable[Header], mixed: bool) -> None:
    """Print how many files have more than one channel, since channels are averaged."""
    names = [header.source.name for header in headers if header.channels > 1]
    if names:
        who = "they are mixed down in the copies" if mixed else "fairseq averages them on reading"
        print(f"{len(names)} files have several channels; {who}: {some(names)}", file=sys.stderr)


def check_sample_rate(headers: Iterable[Header], expected: int) -> None:
    """Raise ValueError unless every file has the expected rate (Hz)."""
    other = [header for header in headers if header.sample_rate != expected]
    if other:
        names = some(f"{header.source.name} ({header.sample_rate} Hz)" for header in other)
        raise ValueError(
            f"{len(other)} files have another sample rate than {expected} Hz: {names}; "
            "give --resample-to NEW_DIR to write copies at the right one, or --sample-rate if the "
            "model is for another"
        )


def split(headers: list[Header], args: Listing) -> dict[str, list[Header]]:
    """Sort files into splits: by the table's column, by folder, or a random part for `valid`.

    Raises:
        ValueError: folders or the table decide for some of the files only.
    """
    named = [header.source.split for header in headers]
    if args.csv and any(named):
        if not all(named):
            name = headers[named.index(None)].source.name
            raise ValueError(f"{args.csv}: `split` is empty for {name!r}; fill it for every line")
        return group(headers, lambda header: str(header.source.split))
    by_folder = args.split_by_folder
    if by_folder == "auto" and args.valid_percent is None and not args.csv:
        likely = [bool(SPLIT_NAME.match(top(header))) for header in headers]
        by_folder = "yes" if all(likely) else "no"
        if any(likely) and not all(likely):
            other = sorted({top(h) or h.source.name for h, is_split in zip(headers, likely) if not is_split})
            raise ValueError(
                f"some top-level folders look like splits, but not {some(other)}; give --split-by-folder yes or no"
            )
    if by_folder == "yes":
        loose = [header.source.name for header in headers if not top(header)]
        if loose:
            raise ValueError(f"--split-by-folder yes: {some(loose)} is in no top-level folder")
        return group(headers, top)
    if args.valid_percent is None and len(headers) == 1:
        print("no valid.tsv: there is one file only", file=sys.stderr)
        return {"train": headers}
    percent = DEFAULT_VALID_PERCENT if args.valid_percent is None else args.valid_percent
    return split_at_random(headers, percent, args.seed)


def split_at_random(headers: list[Header], percent: float, seed: int) -> dict[str, list[Header]]:
    """Keep `percent` of the files, at least one, for `valid`; the order stays sorted."""
    if not 0 <= percent < 100:
        raise ValueError(f"--valid-percent is {percent:g}; expected 0 to less than 100")
    if percent == 0:
        return {"train": headers}
    count = max(1, round(len(headers) * percent / 100))
    if count >= len(headers):
        raise ValueError(
            f"--valid-percent {percent:g} of {len(headers)} files leaves none for train; give 0, or more files"
        )
    chosen = set(random.Random(seed).sample(range(len(headers)), count))
    parts: dict[str, list[Header]] = {"train": [], "valid": []}
    for index, header in enumerate(headers):
        parts["valid" if index in chosen else "train"].append(header)
    return parts


def group(headers: list[Header], key: Callable[[Header], str]) -> dict[str, list[Header]]:
    """Collect the files by a name."""
    groups: dict[str, list[Header]] = defaultdict(list)
    for header in headers:
        groups[key(header)].append(header)
    return groups


def top(header: Header) -> str:
    """Return the top-level folder of a file, or nothing if it lies in the root."""
    folder, slash, _ = header.source.name.partition("/")
    return folder if slash else ""
