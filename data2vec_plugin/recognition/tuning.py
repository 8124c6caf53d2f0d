"""Tune the weights of beam search on a validation split: emissions are computed once and decoded with many weights."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

from torch import Tensor
from tqdm import tqdm

from ..decoding.beam import BeamDecoder
from ..decoding.decoded import Decoder
from ..decoding.greedy import GreedyCtcDecoder
from ..decoding.options import BeamOptions
from ..decoding.overlay import overlay_text
from ..decoding.processes import ForkedWorkers
from ..decoding.words import texts_of, words_of
from ..files.locks import writing
from ..files.text.manifests import check_manifest
from ..files.text.transcripts import check_symbols, read_labels
from ..files.writing import write_atomically
from ..runs.tables import print_table
from .recogniser import Recogniser, open_recogniser
from .stored_emissions import emissions_of_split
from .surface import draw_surface
from .weight_search import BEAMS, LM_WEIGHTS, NO_SCORES, SIL_WEIGHTS, WORD_SCORES, Grid, search

SHOWN = 10
CLIPS_A_TASK = 25
BOUNDARY = "|"


@dataclass(frozen=True)
class TuneSettings:
    """The model and data to tune on, and the values to try."""

    checkpoint: Path
    manifest: Path
    """SPLIT.tsv of a validation split; its labels are next to it."""
    lm_model: Path
    lexicon: Optional[Path] = None
    out: Path = Path("tuned")
    labels: str = "ltr"
    dictionary: Optional[Path] = None
    device: Optional[str] = None
    lm_weights: Sequence[float] = LM_WEIGHTS
    word_scores: Sequence[float] = WORD_SCORES
    sil_weights: Sequence[float] = SIL_WEIGHTS
    beams: Sequence[int] = BEAMS
    beam: int = 50
    """The beam size while weights are searched."""
    processes: Optional[int] = None


class Split:
    """Recordings as emissions, with their reference words."""

    def __init__(self, emissions: List[Tensor], references: List[List[str]], symbols: List[str]) -> None:
        self.emissions, self.references, self.symbols = emissions, references, symbols
        self.words = sum(map(len, references))

    def errors(self, decoder: Decoder, start: int = 0, end: Optional[int] = None) -> int:
        """Word errors of a decoder in recordings ``start`` to ``end``."""
        import editdistance

        said = zip(self.emissions[start:end], self.references[start:end])
        return sum(
            editdistance.eval(words, [word.text for word in words_of(decoder.decode(row)[0], self.symbols)])
            for row, words in said
        )


def tune(settings: TuneSettings) -> None:
    """Search, write `tuned.yaml` and `surface.png` next to the emissions, print the best options and how to use them.

    Raises:
        ValueError: the checkpoint is no CTC recogniser, or the lexicon, the language model or a file of the split is
            unusable.
    """
    with writing(settings.out):
        recogniser = open_recogniser(settings.checkpoint, settings.device, settings.dictionary)
        start = BeamOptions(settings.beam, lexicon=settings.lexicon, lm_model=settings.lm_model)
        decoder = BeamDecoder(start, recogniser.symbols, recogniser.blank)
        references = references_of(settings, recogniser)
        split = Split(emissions_of_split(recogniser, settings.manifest, settings.out), references, recogniser.symbols)
        greedy = 100 * split.errors(GreedyCtcDecoder(recogniser.blank)) / split.words
        rates, best = tried_rates(settings, decoder, split)
        tell(settings, rates, best, greedy, split)


def references_of(settings: TuneSettings, recogniser: Recogniser) -> List[List[str]]:
    """Words of each clip, from the label file next to the manifest."""
    path = settings.manifest.with_suffix(f".{settings.labels}")
    labels = read_labels(path, settings.manifest, len(check_manifest(settings.manifest)))
    check_symbols(labels, set(recogniser.symbols), path, f"the dictionary of {settings.checkpoint}")
    return [texts_of(label.split(), recogniser.symbols) for label in labels]


def tried_rates(
    settings: TuneSettings, decoder: BeamDecoder, split: Split
) -> Tuple[Dict[BeamOptions, float], BeamOptions]:
    """Word error rates in percent of all options tried, and the best options; decodes in several processes."""
    grid = Grid(
        settings.lm_weights,
        settings.word_scores if settings.lexicon else NO_SCORES,
        settings.sil_weights if BOUNDARY in split.symbols else (),
        settings.beams,
    )

    def work(task: Tuple[BeamOptions, int]) -> int:
        options, first = task
        return split.errors(decoder.with_options(options), first, first + CLIPS_A_TASK)

    with ForkedWorkers(work, settings.processes, "--processes") as workers:

        def errors(options: Sequence[BeamOptions]) -> List[int]:
            firsts = range(0, len(split.references), CLIPS_A_TASK)
            begun = [[workers.submit((each, first)) for first in firsts] for each in options]
            bar = tqdm(begun, unit="point", desc="decoding", disable=None)
            return [sum(workers.result(part) for part in parts) for parts in bar]

        tried, best = search(errors, decoder.options, grid)
    return {options: 100 * errors / split.words for options, errors in tried.errors.items()}, best


def tell(
    settings: TuneSettings, rates: Dict[BeamOptions, float], best: BeamOptions, greedy: float, split: Split
) -> None:
    """Write the overlay and the plot, print the table and the options."""
    chosen = replace(
        best,
        lexicon=best.lexicon and best.lexicon.resolve(),
        lm_model=best.lm_model and best.lm_model.resolve(),
    )
    line = options_line(chosen)
    said = (
        f"WER {rates[best]:.2f} % on {settings.manifest.stem} ({len(split.references):,} clips, "
        f"{split.words:,} words), greedy {greedy:.2f} %"
    )
    overlay = settings.out / "tuned.yaml"
    comments = [f"data2vec lm tune: {said}", f"fairseq-generate … --decoding {overlay.name}, or {line}"]
    write_atomically(overlay, overlay_text(vars(chosen), comments))
    draw_surface(settings.out / "surface.png", rates, best, greedy)
    order = sorted(rates, key=lambda options: (options != best, rates[options]))[:SHOWN]
    header = ("WER (%)", "LM weight", "word score", "| weight", "beam")
    rows = [
        (f"{rates[o]:.2f}", f"{o.weight:g}", number(o.word_score), number(o.sil_weight), str(o.beam)) for o in order
    ]
    print_table(f"the best of {len(rates)} tried, the chosen one first", header, rows)
    print(f"{said}\n{overlay}, {settings.out / 'surface.png'}")
    print(f"fairseq-generate … --decoding {overlay}\n  is the same as {line}")


def options_line(options: BeamOptions) -> str:
    """The options on a command line."""
    default = vars(BeamOptions())
    given = {name: value for name, value in vars(options).items() if name == "beam" or value != default[name]}
    return " ".join(
        f"--{name.replace('_', '-')} {shlex.quote(f'{value:g}' if isinstance(value, float) else str(value))}"
        for name, value in given.items()
    )


def number(value: Optional[float]) -> str:
    """A number for the table, empty for None."""
    return "" if value is None else f"{value:g}"
