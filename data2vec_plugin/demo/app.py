"""The page: record or drop a file, see its words on the waveform, download subtitles and JSON."""

from __future__ import annotations

import html
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Tuple

from ..files.writing import write_atomically
from ..recognition.pieces.listening import listen, seconds_of
from ..recognition.transcription.transcribing import Transcriber
from ..recognition.transcription.transcript import Transcript
from ..recognition.transcription.transcript_files import FORMATS
from .waveform import peaks_of, strip

INSTALL = 'the demo requires gradio: pip install "data2vec-fairseq[demo]", or pip install gradio'
LONGEST = 3600.0
"""Seconds; the page is for trying things out, `data2vec transcribe` is for hours."""


@dataclass(frozen=True)
class Shown:
    """What the page shows of a recording, and the files that it offers."""

    strip: str
    text: str
    srt: Optional[str] = None
    json: Optional[str] = None


class Demo:
    """Transcribes what is recorded or dropped; ``folder`` is for the files that are offered."""

    def __init__(self, transcriber: Transcriber, title: str, folder: Path) -> None:
        self.transcriber, self.title, self.folder = transcriber, title, folder
        self._count = 0

    def show(self, path: Optional[str]) -> Shown:
        """Transcribe a file; what is wrong with it is shown instead."""
        if path is None:
            return Shown("", "")
        try:
            rate = self.transcriber.frames.rate
            refuse_long(seconds_of(path, rate))
            transcript = self.transcriber.transcribe(path)
            refuse_long(transcript.seconds)  # of a file that states no length
            peaks = peaks_of(listen(path, rate), transcript.seconds, rate)
        except (ValueError, OSError) as error:
            return Shown(message(str(error).replace(path, os.path.basename(path))), "")
        srt, json = (self._write(path, transcript, kind) for kind in ("srt", "json"))
        return Shown(strip(peaks, transcript.seconds, transcript.words), transcript.text or "(no words)", srt, json)

    def _write(self, path: str, transcript: Transcript, kind: str) -> str:
        self._count += 1
        name = re.sub(r"[^\w.-]", "_", Path(path).stem) or "recording"
        made = {"model": self.transcriber.recogniser.name, "weights": self.transcriber.recogniser.digest}
        file = self.folder / str(self._count) / f"{name}.{kind}"
        write_atomically(file, FORMATS[kind](os.path.basename(path), transcript, made))
        return str(file)

    def build(self) -> Any:
        """The page, as gradio's Blocks; raises ValueError if gradio is not installed."""
        gradio = imported_gradio()
        with gradio.Blocks(title=self.title, analytics_enabled=False) as page:
            gradio.Markdown(
                f"## {self.title}\nRecord or drop a file. The audio is processed on the computer that runs this page."
            )
            audio = gradio.Audio(
                sources=["upload", "microphone"], type="filepath", label="Recording", buttons=["download"]
            )
            words = gradio.HTML(label="Words")
            text = gradio.Textbox(label="Transcript", lines=2)
            with gradio.Row():
                files = [gradio.DownloadButton(f"Download {kind}", interactive=False) for kind in ("SRT", "JSON")]
            audio.change(self._updates, audio, [words, text, *files])
        return page

    def _updates(self, path: Optional[str]) -> Tuple[Any, ...]:
        gradio, shown = imported_gradio(), self.show(path)
        offered = (gradio.update(value=file, interactive=file is not None) for file in (shown.srt, shown.json))
        return (shown.strip, shown.text, *offered)


def refuse_long(seconds: float) -> None:
    """Raise ValueError for a recording that is too long for a page."""
    if seconds > LONGEST:
        raise ValueError(f"{seconds / 60:.0f} minutes are too long here: use `data2vec transcribe`")


def message(text: str) -> str:
    """What went wrong, as HTML."""
    return f'<div class="data2vec-error" role="alert" style="color:#c92a2a;padding:4px 0">{html.escape(text)}</div>'


def imported_gradio() -> Any:
    """The package gradio, which sends nothing home; raises ValueError with what to install if it is missing."""
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    try:
        import gradio
    except ImportError as error:
        raise ValueError(INSTALL) from error
    return gradio
