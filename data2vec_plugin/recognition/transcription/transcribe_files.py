"""The run of `data2vec transcribe`: writes missing transcripts, and keeps finished ones if it is interrupted."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Dict, Iterator, Optional, Sequence, Union

import torch

from ... import __version__
from ...decoding.options import BeamOptions, build_decoder
from ...features.extract import terminated_as_interrupted
from ...features.items import Item
from ...files.content import digest_of
from ...files.locks import FolderLock
from ...files.media.durations import duration
from ...files.skipped import print_skipped, tell_skipped
from ...files.unusable import UnusableFileError
from ..pieces.cutting import Cutting
from ..pieces.listening import seconds_of
from ..recogniser import Recogniser, open_recogniser
from .recordings import recordings
from .results_folder import ResultsFolder
from .transcribing import BATCH, Transcriber
from .transcript import Transcript
from .transcript_files import parse_formats

READERS = 4
"""Threads that read headers."""


@dataclass(frozen=True)
class Job:
    """The user's request; see `data2vec transcribe --help`."""

    checkpoint: Path
    inputs: Sequence[Path]
    out: Optional[Path] = None
    formats: str = "txt"
    dictionary: Optional[Path] = None
    beam: Optional[BeamOptions] = None
    cutting: Cutting = field(default_factory=Cutting)
    batch: float = BATCH
    device: Optional[str] = None
    overwrite: bool = False
    bad_limit: int = 0


@dataclass
class Done:
    """The progress of a run."""

    skipped: Dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    count: int = 0


def transcribe(job: Job) -> int:
    """Write the missing transcripts; 1 if more recordings were skipped than ``bad_limit``.

    Raises ValueError for an unusable checkpoint, name of a recording or folder, before anything is written, and OSError
    if the disk is full.
    """
    formats = parse_formats(job.formats)
    if job.out is None and formats != ["txt"]:
        raise ValueError(f"`--format {job.formats}` writes files; give their folder with `--out FOLDER`")
    items = recordings(job.inputs, to_files=job.out is not None)
    recogniser = open_recogniser(job.checkpoint, job.device, job.dictionary)
    decoder = build_decoder(job.beam, recogniser.symbols, recogniser.blank)
    transcriber = Transcriber(recogniser, decoder, job.cutting, job.batch)
    if job.out is None:
        return to_standard_output(job, transcriber, items)
    made = settings(job, recogniser)
    with FolderLock(job.out):
        results = ResultsFolder(job.out, formats, {**made, "versions": versions()}, job.overwrite)
        try:
            results.keep_settings({**made, "formats": ",".join(formats)})
            return to_folder(job, job.out, transcriber, results, items)
        finally:
            results.close()


def to_standard_output(job: Job, transcriber: Transcriber, items: Sequence[Item]) -> int:
    """Print one line per recording, with its name if there are several."""
    done = Done()
    started = time.monotonic()
    for item, transcript in transcripts(transcriber, items, done):
        print(f"{item.source}\t{transcript.text}" if len(items) > 1 else transcript.text, flush=True)
    print_skipped(done.skipped)
    print(summary(done, time.monotonic() - started), file=sys.stderr)
    return 1 if len(done.skipped) > job.bad_limit else 0


def to_folder(job: Job, out: Path, transcriber: Transcriber, results: ResultsFolder, items: Sequence[Item]) -> int:
    """Write the files of each recording."""
    pending = results.pending(items)
    done = Done()
    started = time.monotonic()
    try:
        with terminated_as_interrupted():
            for item, transcript in transcripts(transcriber, pending, done):
                results.put(item, transcript)
    finally:
        before = len(items) - len(pending)
        print(f"{out}: {before + done.count:,} of {len(items):,} transcripts ({before:,} already there), ", end="")
        print(summary(done, time.monotonic() - started))
        if left := len(pending) - done.count - len(done.skipped):
            print(f"{left:,} recordings are left to do; run the same command again to continue", file=sys.stderr)
        tell_skipped(out, done.skipped)
    return 1 if len(done.skipped) > job.bad_limit else 0


def summary(done: Done, seconds: float) -> str:
    """The number of skipped recordings, the amount of audio, and the speed."""
    speed = done.seconds / max(seconds, 1e-9)
    return f"{len(done.skipped):,} skipped; {duration(done.seconds)} of audio, {speed:.1f} x real time"


def transcripts(transcriber: Transcriber, items: Sequence[Item], done: Done) -> Iterator[tuple[Item, Transcript]]:
    """Each recording with its transcript, in order, with a progress bar; unreadable recordings are recorded."""
    from tqdm import tqdm

    readable = looked_at(transcriber, items, done)
    total = sum(readable.values())
    sources = [items[place] for place in readable]
    form = "{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s of audio [{elapsed}<{remaining}{postfix}]"
    with tqdm(total=total, desc="transcribe", bar_format=form, disable=not sources) as bar:
        started = time.monotonic()

        def heard(seconds: float) -> None:
            done.seconds += seconds
            bar.total = max(bar.total, bar.n + seconds)  # a video may not state its length
            bar.set_postfix_str(
                f"{done.seconds / max(time.monotonic() - started, 1e-9):.1f} x real time", refresh=False
            )
            bar.update(seconds)

        transcriber.heard = heard
        for place, found in transcriber.results(item.source for item in sources):
            if isinstance(found, UnusableFileError):
                done.skipped[sources[place].place] = found.fault
                continue
            yield sources[place], found
            done.count += 1  # it has been written


def looked_at(transcriber: Transcriber, items: Sequence[Item], done: Done) -> Dict[int, float]:
    """Seconds of the recordings by index; unreadable ones are recorded."""

    def look(item: Item) -> Union[float, UnusableFileError]:
        try:
            return seconds_of(item.source, transcriber.frames.rate)
        except UnusableFileError as error:
            return error

    seconds: Dict[int, float] = {}
    with ThreadPoolExecutor(READERS) as pool:
        for place, found in enumerate(pool.map(look, items)):
            if isinstance(found, UnusableFileError):
                done.skipped[items[place].place] = found.fault
            else:
                seconds[place] = found
    return seconds


def settings(job: Job, recogniser: Recogniser) -> Dict[str, object]:
    """All settings that transcripts depend on."""
    return {
        "model": recogniser.name,
        "weights": recogniser.digest,
        "sample_rate": recogniser.sample_rate,
        "normalize": recogniser.normalize,
        "decoding": decoding(job.beam),
        "cutting": asdict(job.cutting),
    }


def decoding(beam: Optional[BeamOptions]) -> Dict[str, object]:
    """Settings of decoding; files by the digest of their content."""
    if beam is None:
        return {"search": "greedy"}
    given = {name: value for name, value in asdict(beam).items() if value is not None}
    files = {name: digest_of(value) for name, value in given.items() if isinstance(value, Path)}
    return {"search": "beam", **given, **files}


def versions() -> Dict[str, str]:
    """The recogniser's part of these settings."""
    return {"data2vec-fairseq": __version__, "torch": torch.__version__}
