"""Align many recordings with their texts, write the results, and sort them by how well they match."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from ..corpora.labelling import report_losses
from ..files.unusable import UnusableFileError
from ..files.writing import write_atomically
from ..recognition.recogniser import Recogniser, open_recogniser
from ..recognition.subtitles import cues_of, srt, vtt
from ..recognition.timed_words import TimedWord, ctm
from ..runs.tables import print_table
from .hearing import hear
from .pairs import Pair, find_pairs
from .spelling_out import Speller
from .textgrid import textgrid
from .timing import Alignment, align_text

FORMATS = ("ctm", "textgrid", "srt", "vtt", "json")
ENDINGS = {"textgrid": "TextGrid"}
SCORES = "scores.tsv"
COLUMNS = ("score", "path", "seconds", "symbols", "text", "heard", "fault")


@dataclass(frozen=True)
class Job:
    """What to align, and which results to write."""

    checkpoint: Path
    audio: Path
    text: Optional[Path] = None
    out: Optional[Path] = None
    formats: Tuple[str, ...] = ("ctm",)
    letters: bool = False
    worst: int = 0
    bad_limit: int = 0
    dictionary: Optional[Path] = None
    device: Optional[str] = None


@dataclass(frozen=True)
class Row:
    """A recording in the table of scores: its alignment, or why there is none."""

    pair: Pair
    seconds: float = 0.0
    found: Optional[Alignment] = None
    fault: str = ""

    def cells(self) -> List[str]:
        """The row's cells, in the order of ``COLUMNS``."""
        numbers = ("", "", "")
        if self.found is not None:
            numbers = (f"{self.found.score:.3f}", f"{self.seconds:.2f}", str(self.found.symbols))
        score, seconds, symbols = numbers
        text, heard = self.pair.text or "", "" if self.found is None else self.found.heard
        return [" ".join(each.split()) for each in (score, self.pair.audio, seconds, symbols, text, heard, self.fault)]


def align_corpus(job: Job) -> int:
    """Align everything; 1 if more recordings than allowed could not be.

    Raises:
        ValueError: the model is no recogniser, or the lists are unusable.
    """
    check(job)
    pairs = find_pairs(job.audio, job.text)
    recogniser = open_recogniser(job.checkpoint, job.device, job.dictionary)
    speller = Speller(recogniser.symbols)
    rows = [_written(job, row) for row in _aligned(pairs, recogniser, speller)]
    report_losses(speller.losses, speller.case)
    rows.sort(key=lambda row: (row.found is not None, row.found.score if row.found else 0.0, row.pair.name))
    if job.out is not None:
        lines = ["\t".join(COLUMNS), *("\t".join(row.cells()) for row in rows)]
        write_atomically(job.out / SCORES, "\n".join(lines) + "\n")
    bad = [row for row in rows if row.found is None]
    _summarise(job, rows, len(bad))
    return int(len(bad) > job.bad_limit)


def check(job: Job) -> None:
    """Raise ValueError for invalid options."""
    unknown = [each for each in job.formats if each not in FORMATS]
    if unknown or not job.formats:
        raise ValueError(f"`--format` is {','.join(job.formats)!r}; expected {', '.join(FORMATS)}, separated by commas")
    if job.out is None and job.formats != ("ctm",):
        raise ValueError("`--format`: without `--out FOLDER` only CTM is available, on standard output")
    if job.out is not None and job.out.exists() and not job.out.is_dir():
        raise ValueError(f"`--out`: {job.out} is a file; expected a folder")
    if job.worst < 0 or job.bad_limit < 0:
        raise ValueError("`--worst` and `--bad-limit` must be 0 or more")


def _aligned(pairs: Sequence[Pair], recogniser: Recogniser, speller: Speller) -> Iterator[Row]:
    from tqdm import tqdm

    for pair in tqdm(pairs, "align", unit="file", disable=len(pairs) == 1):
        if pair.text is None:
            fault = "no text: expected a line in a .trans.txt next to it, a .txt with its name, or `--text FILE`"
            yield Row(pair, fault=fault)
            continue
        try:
            heard = hear(recogniser, pair.audio)
            found = align_text(heard, pair.text, speller, recogniser.symbols, recogniser.blank)
        except UnusableFileError as error:
            yield Row(pair, fault=error.fault)
        except ValueError as error:
            yield Row(pair, fault=str(error))
        else:
            yield Row(pair, heard.seconds, found)


def _written(job: Job, row: Row) -> Row:
    if row.found is None:
        print(f"{row.pair.place}: skipped: {row.pair.audio}: {row.fault}", file=sys.stderr)
    elif job.out is not None:
        for name, content in contents(row, job.formats, job.letters).items():
            write_atomically(job.out / f"{row.pair.name}.{name}", content)
    elif not job.worst:
        sys.stdout.write("".join(contents(row, ("ctm",), False).values()))
        if job.letters:
            sys.stdout.write(contents(row, ("ctm",), True)["letters.ctm"])
    return row


def contents(row: Row, formats: Sequence[str], letters: bool) -> Dict[str, str]:
    """Contents of the files to write, by their extensions."""
    found = row.found
    if found is None:
        return {}
    words = [each.word for each in found.words]
    every = [letter for each in found.words for letter in each.letters]
    made: Dict[str, str] = {}
    for name in formats:
        if name == "ctm":
            made["ctm"] = ctm(Path(row.pair.name).name, words)
            if letters:
                made["letters.ctm"] = ctm(Path(row.pair.name).name, every)
        elif name == "textgrid":
            made["TextGrid"] = textgrid([("words", words), ("letters", every)], row.seconds)
        elif name in ("srt", "vtt"):
            made[name] = (srt if name == "srt" else vtt)(cues_of(found.written))
        else:
            made["json"] = json.dumps(described(row, found), ensure_ascii=False, indent=1) + "\n"
    return made


def described(row: Row, found: Alignment) -> Dict[str, Any]:
    """The alignment of one recording as written to JSON; times in seconds."""
    return {
        "file": row.pair.audio,
        "seconds": round(row.seconds, 3),
        "text": row.pair.text,
        "heard": found.heard,
        "score": round(found.score, 4),
        "words": [{**timed(each.word), "letters": [timed(letter) for letter in each.letters]} for each in found.words],
    }


def timed(word: TimedWord) -> Dict[str, Any]:
    """One word or letter, for JSON."""
    return {
        "text": word.text,
        "start": round(word.start, 3),
        "end": round(word.end, 3),
        "confidence": round(word.confidence, 4),
    }


def _summarise(job: Job, rows: Sequence[Row], bad: int) -> None:
    if job.worst:
        shown = [(cells[0], cells[1], cells[4], cells[5] or cells[6]) for cells in map(Row.cells, rows[: job.worst])]
        print_table(f"the {len(shown)} worst matches", ("score", "file", "text", "heard"), shown)
    counts = f"{len(rows) - bad} of {len(rows)} aligned" + (f", {bad} skipped" if bad else "")
    where = f"; {job.out / SCORES}, worst match first" if job.out is not None else ""
    print(counts + where, file=sys.stderr)
