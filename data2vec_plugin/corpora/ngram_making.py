"""An n-gram language model from text: by KenLM's `lmplz` if it is on the PATH, or else by `kneser_ney.py`."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List, Optional, Sequence, Set

from ..files.opening import opened
from ..files.text.arpa import check_arpa
from ..files.text.dictionaries import read_entries
from ..files.unusable import UnusableFileError
from ..files.writing import replacing
from .kneser_ney import KneserNey, check_settings
from .labelling import report_losses
from .spelling import Losses
from .spoken_text import letters_of, words_of_texts

LMPLZ = "lmplz"
UNITS = ("word", "char")


@dataclass(frozen=True)
class NgramSettings:
    """The texts of an n-gram model, and how to build it."""

    texts: Sequence[Path]
    """Texts with one sentence per line; label files (.wrd, .ltr)."""
    out: Path = Path("lm.arpa")
    order: int = 3
    prune: Sequence[int] = ()
    """By order, the count up to which n-grams are dropped, such as 0 0 1."""
    units: str = "word"
    """word, or char: letters with the boundary `|` after each word, for decoding without a lexicon."""
    vocabulary: Optional[Path] = None
    """A lexicon or word list: other words are unknown."""
    case: Optional[str] = None
    """Clean the text as `data2vec labels` does: upper, lower or keep; None: leave it unchanged."""
    with_lmplz: Optional[bool] = None
    """Whether to use lmplz; None: if it is on the PATH."""


def build_ngram(settings: NgramSettings) -> None:
    """Write the ARPA file atomically, check it, and print its sizes.

    Raises:
        UnusableFileError: a text or word list that cannot be read.
        ValueError: invalid settings, no words, or lmplz fails or is missing.
    """
    prune = [*settings.prune, *[settings.prune[-1] if settings.prune else 0] * (settings.order - len(settings.prune))]
    check_settings(settings.order, prune)
    lmplz = shutil.which(LMPLZ) if settings.with_lmplz is not False else None
    if settings.with_lmplz and lmplz is None:
        raise ValueError(
            f"{LMPLZ} is not on the PATH; build KenLM, or leave `--lmplz` out to use the built-in estimate"
        )
    with replacing(settings.out) as part:
        if lmplz:
            run_lmplz(lmplz, settings, prune, part)
            method = f"by {lmplz}"
        else:
            method = estimate(settings, prune, part)
        try:
            counts = check_arpa(part)
        except UnusableFileError as error:
            raise ValueError(f"the file written for {settings.out} is no complete ARPA file: {error.fault}") from error
    sizes = ", ".join(f"{count:,} {size}-grams" for size, count in counts.items())
    print(f"{settings.out}: {sizes}, {method}")


def estimate(settings: NgramSettings, prune: Sequence[int], part: Path) -> str:
    """Write the built-in estimate; returns a description of it."""
    model = KneserNey(sentences(settings), settings.order, prune, vocabulary(settings))
    with part.open("w", encoding="utf-8") as file:
        model.write(file)
    guessed = ", ".join(map(str, model.guessed))
    fallback = f"; too little text to estimate the discounts of order {guessed}: 0.5, 1, 1.5 used" if guessed else ""
    return f"interpolated modified Kneser-Ney{fallback}"


def sentences(settings: NgramSettings) -> Iterator[List[str]]:
    """Words, or letters, of each sentence, with progress; after the last, the losses of cleaning are printed."""
    from tqdm import tqdm

    losses = Losses()
    size = sum(path.stat().st_size for path in settings.texts if path.is_file())
    with tqdm(total=size, unit="B", unit_scale=True, desc="count", disable=None) as bar:
        for _, _, words in words_of_texts(settings.texts, settings.case, losses, seen=bar.update):
            yield letters_of(words) if settings.units == "char" else words
    if settings.case is not None:
        report_losses(losses, settings.case)


def vocabulary(settings: NgramSettings) -> Optional[Set[str]]:
    """The first word of each line of a lexicon or word list; None: all words are known."""
    if settings.vocabulary is None:
        return None
    if settings.units == "char":
        return {entry.symbol for entry in read_entries(settings.vocabulary)}
    lines = words_of_texts([settings.vocabulary], None, Losses())
    return {words[0] for _, _, words in lines}


def run_lmplz(lmplz: str, settings: NgramSettings, prune: Sequence[int], part: Path) -> None:
    """Run lmplz on the sentences; raises ValueError with the end of its output if it fails."""
    with tempfile.TemporaryDirectory() as folder:
        command = [lmplz, "-o", str(settings.order), "--arpa", str(part), "-T", folder, "--discount_fallback"]
        if any(prune):
            command += ["--prune", *map(str, prune)]
        known = vocabulary(settings)
        if known is not None:
            words = Path(folder) / "words.txt"
            words.write_text("\n".join(sorted(known)), "utf-8")
            command += ["--limit_vocab_file", str(words)]
        text = Path(folder) / "text.txt"
        with text.open("w", encoding="utf-8") as file:
            file.writelines(f"{' '.join(words)}\n" for words in sentences(settings))
        with opened(text) as source:
            done = subprocess.run(
                command, stdin=source, capture_output=True, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"}
            )
    if done.returncode:
        said = " ".join(done.stderr.decode("utf-8", "replace").split()[-40:])
        raise ValueError(f"{lmplz} exited with code {done.returncode}: {said}; `--no-lmplz` works without it")
