"""Recordings with their texts: one of each, a table, or a manifest or folder with texts where `labels` finds them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional

from ..corpora.listing import AUDIO
from ..corpora.spoken_text import LETTERS, joined
from ..corpora.transcript_search import FoundTranscripts, TableOfTranscripts
from ..files.folders import Walk
from ..files.text.delimited import read_table
from ..files.text.manifests import Clip, Manifest, line_of, read_manifest
from ..files.text.text_lines import numbered_lines, read_text
from ..files.text.transcripts import read_beside, read_labels
from ..files.unusable import UnusableFileError

TABLES = (".csv", ".tsv")


@dataclass(frozen=True)
class Pair:
    """A recording, its text if there is one, the name of its results, and its line in a list."""

    audio: str
    text: Optional[str]
    name: str
    place: str


def find_pairs(audio: Path, text: Optional[Path]) -> List[Pair]:
    """Find the text of each recording.

    Raises UnusableFileError for lists that cannot be read or do not match, ValueError if two recordings have the same
    name.
    """
    if not audio.exists():
        raise ValueError(f"`--audio`: {audio} does not exist; give a recording, a folder, a manifest or a table")
    if audio.is_dir():
        pairs = _of_manifest(audio, _listed(audio), text)
    elif audio.suffix.lower() not in TABLES:
        pairs = [Pair(str(audio), _own_text(audio, text), audio.stem, str(audio))]
    elif _is_table(audio):
        if text is not None:
            raise ValueError(f"`--text`: {audio} has a column `text`; leave the option out")
        pairs = _of_table(audio)
    else:
        pairs = _of_manifest(audio, read_manifest(audio), text)
    _check_names(pairs)
    return pairs


def _own_text(audio: Path, text: Optional[Path]) -> Optional[str]:
    found = read_beside(audio) if text is None else read_text(text)
    if found is None:
        raise ValueError(
            f"{audio} has no {audio.with_suffix('.txt').name} next to it; give its text with `--text FILE`"
        )
    return found


def _is_table(path: Path) -> bool:
    header = next((line for _, line in numbered_lines(path)), "")
    return {"path", "text"} <= {cell.strip() for cell in header.replace("\t", ",").split(",")}


def _of_table(path: Path) -> List[Pair]:
    pairs = []
    for row in read_table(path, ["path", "text"]):
        name = row.fields["path"]
        pairs.append(Pair(str(path.parent / name), row.fields["text"], _stem(name), f"{path}, line {row.line}"))
    return pairs


def _listed(folder: Path) -> Manifest:
    names = sorted(Walk(folder, [f".{kind}" for kind in sorted(AUDIO)], {}).files())
    if not names:
        raise ValueError(f"{folder}: no recordings at any depth; give another folder, or a file")
    return Manifest(folder, tuple(Clip(name, 0) for name in names))


def _of_manifest(path: Path, manifest: Manifest, text: Optional[Path]) -> List[Pair]:
    if text is None or text.suffix.lower() in TABLES:
        found = FoundTranscripts() if text is None else TableOfTranscripts(text, [manifest])
        texts = [found.find(manifest.root, clip) for clip in manifest.clips]
    elif path.is_dir():
        raise ValueError(
            f"`--text` is {text}; for a folder, give a table (.csv) with columns path and text, or put texts next to "
            f"the recordings"
        )
    else:
        lines = read_labels(text, path, len(manifest.clips))
        texts = [joined(line) if text.suffix == LETTERS else line for line in lines]
    places = [str(path / clip.path) for clip in manifest.clips]
    if not path.is_dir():
        places = [f"{path}, line {line_of(index)}" for index in range(len(manifest.clips))]
    return [
        Pair(str(manifest.root / clip.path), said, _stem(clip.path), place)
        for clip, said, place in zip(manifest.clips, texts, places)
    ]


def _stem(name: str) -> str:
    """The name of a recording's results below the output folder, never outside it."""
    path = Path(name)
    return str(path.with_suffix("").name if path.is_absolute() or ".." in path.parts else path.with_suffix(""))


def _check_names(pairs: List[Pair]) -> None:
    first: Dict[str, Pair] = {}
    for pair in pairs:
        other = first.setdefault(pair.name, pair)
        if other is not pair:
            raise UnusableFileError.of(
                pair.audio,
                f"its results would have the same name as those of {other.audio}, {pair.name}; rename one of the two",
            )
