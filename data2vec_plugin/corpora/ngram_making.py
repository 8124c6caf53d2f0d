"""An n-gram language model out of text: by KenLM's `lmplz` where it is on the PATH, and else by our own Kneser-Ney."""

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
    """What is counted, and how."""

    texts: Sequence[Path]
    """A sentence a line; label files (.wrd, .ltr)."""
    out: Path = Path("lm.arpa")
    order: int = 3
    prune: Sequence[int] = ()
    """By order, the count up to which n-grams are left out, as 0 0 1."""
    units: str = "word"
    """word, or char: letters with the boundary `|` behind each word, for decoding without a lexicon."""
    vocabulary: Optional[Path] = None
    """A lexicon or word list: other words are unknown."""
    case: Optional[str] = None
    """Clean the text as `data2vec labels` does: upper, lower or keep; None: take it as it is."""
    with_lmplz: Optional[bool] = None
    """None: where it is on the PATH."""


def build_ngram(settings: NgramSettings) -> None:
    """Write the ARPA file whole or not at all, look through it, and say what it holds.

    Raises:
        UnusableFileError: a text or word list that cannot be read.
        ValueError: settings that cannot be, no words, or lmplz fails or is missing.
    """
    prune = [*settings.prune, *[settings.prune[-1] if settings.prune else 0] * (settings.order - len(settings.prune))]
    check_settings(settings.order, prune)
    lmplz = shutil.which(LMPLZ) if settings.with_lmplz is not False else None
    if settings.with_lmplz and lmplz is None:
        raise ValueError(f"{LMPLZ} is not on the PATH; build KenLM, or leave `--lmplz` out for our own estimate")
    with replacing(settings.out) as part:
        if lmplz:
            run_lmplz(lmplz, settings, prune, part)
            told = f"by {lmplz}"
        else:
            told = estimate(settings, prune, part)
        try:
            counts = check_arpa(part)
        except UnusableFileError as error:
            raise ValueError(f"what was written for {settings.out} is no whole ARPA file: {error.fault}") from error
    sizes = ", ".join(f"{count:,} {size}-grams" for size, count in counts.items())
    print(f"{settings.out}: {sizes}, {told}")


def estimate(settings: NgramSettings, prune: Sequence[int], part: Path) -> str:
    """Write our own estimate; says how it was made."""
    model = KneserNey(sentences(settings), settings.order, prune, vocabulary(settings))
    with part.open("w", encoding="utf-8") as file:
        model.write(file)
    guessed = ", ".join(map(str, model.guessed))
    fallback = f"; too little text to estimate the discounts of order {guessed}: 0.5, 1, 1.5 taken" if guessed else ""
    return f"interpolated modified Kneser-Ney{fallback}"


def sentences(settings: NgramSettings) -> Iterator[List[str]]:
    """Words, or letters, of each sentence, with progress; what cleaning loses is told behind the last."""
    from tqdm import tqdm

    losses = Losses()
    size = sum(path.stat().st_size for path in settings.texts if path.is_file())
    with tqdm(total=size, unit="B", unit_scale=True, desc="count", disable=None) as bar:
        for _, _, words in words_of_texts(settings.texts, settings.case, losses, seen=bar.update):
            yield letters_of(words) if settings.units == "char" else words
    if settings.case is not None:
        report_losses(losses, settings.case)


def vocabulary(settings: NgramSettings) -> Optional[Set[str]]:
    """Words of a lexicon or of a list, a word first in each line; None: all."""
    if settings.vocabulary is None:
        return None
    if settings.units == "char":
        return {entry.symbol for entry in read_entries(settings.vocabulary)}
    lines = words_of_texts([settings.vocabulary], None, Losses())
    return {words[0] for _, _, words in lines}


def run_lmplz(lmplz: str, settings: NgramSettings, prune: Sequence[int], part: Path) -> None:
    """Have lmplz count the sentences; raises ValueError with its last words if it fails."""
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
        raise ValueError(f"{lmplz} ended with {done.returncode}: {said}; `--no-lmplz` does without it")
