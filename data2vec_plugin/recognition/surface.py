"""The plot of a search for weights: errors over both weights, and over the beam."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Dict

from ..decoding.options import BeamOptions
from ..runs.drawing import BLUE, GREY, ORANGE, picture

STYLE = {"font.size": 10, "axes.titleweight": "bold", "axes.titlelocation": "left"}


def draw_surface(path: Path, rates: Dict[BeamOptions, float], best: BeamOptions, greedy: float) -> None:
    """Plot word error rates (percent) of all options tried; raises ValueError if matplotlib is not installed."""
    surface = {o: rate for o, rate in rates.items() if o.sil_weight is None and o.beam == next(iter(rates)).beam}
    beams = {o.beam: rate for o, rate in rates.items() if o == replace(best, beam=o.beam)}
    with picture(path, STYLE, 1, 2, figsize=(12, 5), width_ratios=(3, 2)) as (figure, (left, right)):
        if best.word_score is None:
            _draw_curve(left, surface, best, greedy)
        else:
            _draw_cells(figure, left, surface, best)
        _draw_beams(right, beams, best, greedy)
        figure.tight_layout()


def _draw_cells(figure: Any, axes: Any, surface: Dict[BeamOptions, float], best: BeamOptions) -> None:
    weights, scores = [o.weight for o in surface], [o.score_of_word for o in surface]
    dots = axes.scatter(weights, scores, c=list(surface.values()), s=330, marker="s", cmap="viridis_r")
    middle = (max(surface.values()) + min(surface.values())) / 2
    for weight, score, rate in zip(weights, scores, surface.values()):
        axes.annotate(
            f"{rate:.1f}",
            (weight, score),
            ha="center",
            va="center",
            fontsize=6,
            color="white" if rate > middle else "black",
        )
    axes.scatter(
        [best.weight], [best.score_of_word], s=380, marker="s", facecolors="none", edgecolors=ORANGE, linewidths=2.5
    )
    figure.colorbar(dots, ax=axes, label="WER (%)")
    axes.margins(0.08)
    axes.set_title("Word errors over both weights (frame: chosen)")
    axes.set_xlabel("weight of the language model (--lm-weight)")
    axes.set_ylabel("score of a word (--word-score)")


def _draw_curve(axes: Any, surface: Dict[BeamOptions, float], best: BeamOptions, greedy: float) -> None:
    points = sorted((o.weight, rate) for o, rate in surface.items())
    axes.plot(*zip(*points), color=BLUE, marker="o", label="beam search")
    axes.axvline(best.weight, color=ORANGE, label="chosen")
    _finish(axes, greedy, "Word errors over the weight", "weight of the language model (--lm-weight)")


def _draw_beams(axes: Any, beams: Dict[int, float], best: BeamOptions, greedy: float) -> None:
    points = sorted(beams.items())
    axes.plot(*zip(*points), color=BLUE, marker="o", label="beam search")
    axes.axvline(best.beam, color=ORANGE, label="chosen")
    axes.set_xscale("log")
    axes.set_xticks([beam for beam, _ in points], [str(beam) for beam, _ in points])
    axes.minorticks_off()
    _finish(axes, greedy, "Word errors over the beam", "hypotheses kept (--beam)")


def _finish(axes: Any, greedy: float, title: str, unit: str) -> None:
    axes.axhline(greedy, color=GREY, linestyle="--", label="greedy")
    axes.set_ylim(bottom=0)
    axes.grid(True)
    axes.set_title(title)
    axes.set_xlabel(unit)
    axes.set_ylabel("WER (%)")
    axes.legend()
