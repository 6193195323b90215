"""Figures of matplotlib that need neither a display nor global state, with every text as it stands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vidcls.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure


DPI = 120
COLUMN_INCHES = 5.3
"""Width of a figure whose texts of 10 points are still 8 points high where it is shown 412 pixels wide, on a phone."""

# Okabe and Ito: Color Universal Design, 2008: eight colours that colour-blind people can tell apart; yellow, which is
# faint on white, stands last.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000", "#F0E442")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES = ("-", "--", ":", "-.")  # another line for each round through the colours


def line_style(position: int) -> tuple[str, str, str]:
    """Colour, marker and line of the curve, or the points, at a position."""
    num_colors = len(COLORS)
    return COLORS[position % num_colors], MARKERS[position % num_colors], LINES[position // num_colors % len(LINES)]


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
    """Take no text for a formula, as class names and paths may have dollar signs; to be called before it is saved.

    The numbers at logarithmic axes, which matplotlib writes as formulas, are written plainly: 0.01, 1e-05.
    """
    from matplotlib.text import Text

    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if axis.get_scale() == "log":
                _number_plainly(axis)
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        text.set_parse_math(False)
    return figure


def _number_plainly(axis: object) -> None:
    """Give an axis whose numbers are formulas others for the same ticks."""
    from matplotlib.axis import Axis
    from matplotlib.ticker import LogFormatter, LogFormatterMathtext

    class Plain(LogFormatter):
        def __call__(self, x: float, pos: int | None = None) -> str:
            return f"{x:g}" if super().__call__(x, pos) else ""

    assert isinstance(axis, Axis)
    if isinstance(axis.get_major_formatter(), LogFormatterMathtext):
        axis.set_major_formatter(Plain())
    if isinstance(axis.get_minor_formatter(), LogFormatterMathtext):  # labelled where there are few powers of ten
        axis.set_minor_formatter(Plain(labelOnlyBase=False, minor_thresholds=(1.5, 0.4)))
