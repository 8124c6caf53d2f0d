"""What is written around the panels of a picture."""

from __future__ import annotations

from pathlib import Path

from data2vec_plugin.runs.drawing import picture
from data2vec_plugin.runs.panels import STYLE, caption


def test_a_long_caption_ends_before_the_next_panel(tmp_path: Path) -> None:
    with picture(tmp_path / "panels.png", STYLE, 1, 2, figsize=(12, 4)) as (figure, panels):
        figure.subplots_adjust(0.06, 0.4, 0.97, 0.9, wspace=0.20)
        caption(panels[0], "Normal: a decrease, then a rise to a constant level, " * 5 + "\nNear 0 at the end.")
        figure.canvas.draw()
        (text,) = panels[0].texts
        assert text.get_window_extent().x1 < panels[1].get_window_extent().x0
        assert text.get_text().endswith("\nNear 0 at the end.")
