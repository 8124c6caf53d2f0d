"""Plots written to files: the only module that imports matplotlib, and the style that all plots share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BLUE, ORANGE, GREY, PALE = "#2a6f97", "#d1701f", "#6b6b6b", "#cfcfcf"
LOOK = {"axes.spines.top": False, "axes.spines.right": False, "grid.color": "#e6e6e6"}
DOTS_PER_INCH = 110


@contextmanager
def picture(path: Path, style: Mapping[str, Any], *shape: int, **options: Any) -> Iterator[tuple[Any, Any]]:
    """A figure and its panels to draw on; the file is written at the end.

    Args:
        path: the file; its extension decides its format.
        style: settings in addition to `LOOK`, by matplotlib's names.
        shape: rows and columns of panels (one panel).
        options: options of `pyplot.subplots`.

    Raises:
        ValueError: matplotlib is not installed.
    """
    pyplot = matplotlib_pyplot()
    with pyplot.rc_context({**LOOK, **style}):
        figure, panels = pyplot.subplots(*shape, **options)
        try:
            yield figure, panels
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, dpi=DOTS_PER_INCH)
        finally:
            pyplot.close(figure)


def matplotlib_pyplot() -> Any:
    """pyplot, drawing to files; raises ValueError with the command if it is not installed."""
    try:
        import matplotlib
    except ImportError as error:
        raise ValueError("plots require matplotlib: pip install matplotlib") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot
