"""Figures of matplotlib that need neither a display nor global state, with every text as it stands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vidcls.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure


DPI = 120


def png_figure(width_inches: float, height_inches: float) -> Figure:
    """A figure of its own, without pyplot's global state and without a display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_inches, height_inches), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_png(figure: Figure, path: Path, *, dpi: int = DPI) -> None:
    """Write the figure whole or not at all."""
    with atomic_write(path) as temporary:
        plain_texts(figure).savefig(temporary, dpi=dpi, format="png")


def plain_texts(figure: Figure) -> Figure:
    """Take no text for a formula, as class names and paths may have dollar signs; to be called before it is saved."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        text.set_parse_math(False)
    return figure
