"""Pictures that are drawn into files: the one place that imports matplotlib, and the look that all of them share."""

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
    """A figure and its panels to draw on; they become the file once everything is drawn.

    Args:
        path: the file; its ending says of which kind.
        style: what is set beside `LOOK`, by matplotlib's names.
        shape: rows and columns of panels (one panel).
        options: of `pyplot.subplots`.

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
        raise ValueError("pictures are drawn with matplotlib: pip install matplotlib") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot
