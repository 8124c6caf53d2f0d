"""Finds the transcript of each clip: in a table, or next to the audio."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, Iterable, List, Optional

from ..files.text.delimited import Row, read_table
from ..files.text.manifests import Clip, Manifest
from ..files.text.transcripts import read_beside, read_utterances
from ..files.unusable import UnusableFileError, some
from .listing import AUDIO

ENDINGS = AUDIO | {"aifc", "amr", "caf", "oga", "sph", "w64", "webm"}
"""Extensions of audio: names in a table may have one, none, or another than the clip, which may be a copy."""


def key_of(name: str) -> str:
    """A clip's name without the extension of audio; anything else after a dot is part of an id.

    >>> key_of("a/rec.2021.03.WAV"), key_of("rec.2021.03")
    ('a/rec.2021.03', 'rec.2021.03')
    """
    path = Path(name)
    return str(path.with_suffix("")) if path.suffix[1:].lower() in ENDINGS else str(path)


@dataclass
class FoundTranscripts:
    """Transcripts next to the audio: LibriSpeech's ``*.trans.txt`` of its folder, or a ``.txt`` with its name."""

    _by_folder: Dict[Path, Dict[str, str]] = field(default_factory=dict)

    def find(self, root: Path, clip: Clip) -> Optional[str]:
        """Return the raw transcript of a clip, or None."""
        file = root / clip.path
        if file.parent not in self._by_folder:
            self._by_folder[file.parent] = read_utterances(file.parent)
        text = self._by_folder[file.parent].get(file.stem)
        return read_beside(file) if text is None else text


class TableOfTranscripts:
    """A table's rows by the name of the clip: its path in the manifest, its whole path, or only its file name.

    A row with the folder has precedence over one without. Raises ValueError if two rows name the same clip, or if a
    file name matches clips in several folders of the ``manifests`` and so is ambiguous.
    """

    def __init__(self, path: Path, manifests: Iterable[Manifest]) -> None:
        self._rows: Dict[str, Row] = {}
        for row in read_table(path, ["path", "text"]):
            key = key_of(row.fields["path"])
            if key in self._rows:
                fault = f"{key} has a text already, in line {self._rows[key].line}"
                raise UnusableFileError.of(path, fault, row.line)
            self._rows[key] = row
        self._exact = {key for each in manifests for clip in each.clips for key in _whole_keys(each.root, clip)}
        self._check_bare_names(path, manifests)

    def find(self, root: Path, clip: Clip) -> Optional[str]:
        """Return the raw transcript of a clip, or None."""
        keys = [*_whole_keys(root, clip), *self._bare_key(clip)]
        return next((self._rows[key].fields["text"] for key in keys if key in self._rows), None)

    def _bare_key(self, clip: Clip) -> List[str]:
        """The clip's file name, unless that is the whole path of a clip, which then owns the row."""
        key = key_of(Path(clip.path).name)
        return [] if key in self._exact else [key]

    def _check_bare_names(self, path: Path, manifests: Iterable[Manifest]) -> None:
        fitting: Dict[str, Dict[str, str]] = defaultdict(dict)
        for manifest in manifests:
            for clip in manifest.clips:
                own, whole = _whole_keys(manifest.root, clip)
                for key in self._bare_key(clip):
                    if key in self._rows and own not in self._rows and whole not in self._rows:
                        fitting[key][whole] = clip.path
        for key, clips in fitting.items():
            if len(clips) > 1:
                row = self._rows[key]
                raise UnusableFileError.of(
                    path,
                    f"{row.fields['path']!r} matches {len(clips)} clips ({some(clips.values())}); add the folder to "
                    f"the path, as in the manifest",
                    row.line,
                )


def _whole_keys(root: Path, clip: Clip) -> List[str]:
    """The unique names of a clip: its path below the root, and its path in the file system."""
    return [key_of(clip.path), key_of(str(root / clip.path))]
