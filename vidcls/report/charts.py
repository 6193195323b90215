"""Numbers -> inline SVG that takes the colours of the page it stands in, light or dark."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from vidcls.figures import plain_texts
from vidcls.runs.calibration import NUM_BINS, Calibration
from vidcls.runs.confusion_figure import draw_confusion
from vidcls.runs.confusions import MOST_WITH_NAMES, MOST_WITH_NUMBERS, figure_cells
from vidcls.runs.curve_panels import LEGEND_LETTERS, curve_panels, draw_panel
from vidcls.runs.curves import Curve
from vidcls.runs.probe_figure import HeadRow, draw_heads, figure_height, first_heads
from vidcls.runs.selective import RiskCoverage
from vidcls.tasks import Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = "#010203"  # stands for the colour of the page's text, and is replaced by it
BLUE, ORANGE = "#3b82c4", "#d9762b"  # told apart in the light, in the dark, and by those who do not see red and green
MOST_CELLS = 300  # in a row of a confusion matrix, of a pixel at least on a telephone
CSS_PX_PER_INCH = 96
MANY_CLASSES_INCHES = 6.0  # side of a confusion matrix whose classes have no names


def curves_chart(curves: Mapping[str, Curve], task: Task) -> list[str]:
    """A chart for each panel of :func:`vidcls.runs.curve_panels.curve_panels`; none where there are no curves."""
    charts: list[str] = []
    for panel in curve_panels(curves, task):
        lines = sum(1 + len(line.label) // LEGEND_LETTERS for line in panel.lines)
        figure = figure_of(4.6, 2.6 + 0.2 * lines)
        draw_panel(figure.add_subplot(), panel, black=INK)
        charts.append(as_svg(figure, f"Curves of the training: {panel.title}"))
    return charts


def heads_chart(rows: Sequence[HeadRow]) -> str:
    """The heads that were tried for a probe, with their scores on videos held out."""
    shown = first_heads(rows)
    figure = figure_of(5.2, figure_height(shown))
    draw_heads(figure.add_subplot(), shown, num_candidates=len(rows))
    return as_svg(figure, "Heads that were tried, by their mean class accuracy on videos held out")


def confusion_chart(counts: NDArray[np.int64], class_names: Sequence[str]) -> str:
    """The confusion matrix: colours are shares of the row, numbers are videos; of many classes as one picture.

    Names are drawn up to 150 classes; how more share a cell, see :func:`figure_cells`.
    """
    K = len(class_names)
    side = MANY_CLASSES_INCHES if K > MOST_WITH_NAMES else max(3.2, (0.5 if K <= MOST_WITH_NUMBERS else 0.13) * K)
    figure = figure_of(side + 1.6, side + 1.2)
    axes = figure.add_subplot()
    draw_confusion(axes, counts, class_names, figure_cells(counts, most_cells=MOST_CELLS), is_vector=True)
    return as_svg(figure, f"Confusion matrix of {K} classes; the table by class has the same numbers")


def calibration_chart(found: Calibration) -> str:
    """Accuracy by confidence; bars below the line are overconfident."""
    figure = figure_of(3.8, 3.2)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=":")
    axes.bar(
        found.confidence,
        found.accuracy,
        width=0.6 / NUM_BINS,
        color=BLUE,
        alpha=0.85,
    )
    for x, y, count in zip(found.confidence, found.accuracy, found.counts, strict=True):
        axes.text(x, y + 0.015, str(count), ha="center", fontsize=7, color=INK)
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.1)
    axes.set_xlabel("confidence")
    axes.set_ylabel("share that is right")
    return as_svg(figure, f"Accuracy by confidence; expected calibration error {found.error:.3f}")


def risk_chart(found: RiskCoverage, kept: float | None) -> str:
    """The share of wrong answers by the share of videos that are answered, the most confident first.

    Args:
        found: the curve.
        kept: share that a threshold keeps, which is marked; None without one.
    """
    figure = figure_of(3.8, 3.2)
    axes = figure.add_subplot()
    axes.plot(found.coverage, found.risk, color=BLUE, drawstyle="steps-post")
    if kept is not None:
        axes.axvline(kept, color=ORANGE, linewidth=1, linestyle="--")
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, max(0.05, 1.1 * max(found.risk)))
    axes.set_xlabel("share of the videos that are answered")
    axes.set_ylabel("share of the answers that is wrong")
    return as_svg(figure, f"Risk by coverage; its mean is {found.area:.3f}")


def views_chart(values: Sequence[float], title: str) -> str:
    """A metric, called so, by the number of views of each video."""
    figure = figure_of(3.8, 3.2)
    axes = figure.add_subplot()
    axes.plot(range(1, len(values) + 1), values, "o-", color=BLUE)
    axes.set_xlabel("views of each video")
    axes.set_ylabel(title)
    axes.set_ylim(0, 1.02)
    name = title[0].upper() + title[1:]
    return as_svg(figure, f"{name} from 1 view, {values[0]:.3f}, to {len(values)} views, {values[-1]:.3f}")


def figure_of(width: float, height: float) -> Figure:
    """A figure in inches, on no ground of its own."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", facecolor="none")


def as_svg(figure: Figure, alternative: str) -> str:
    """SVG to stand in a page: no fixed size, text as text, ink in the colour of the text around it."""
    from html import escape

    from matplotlib import rc_context

    for axes in figure.axes:
        axes.set_facecolor("none")
        axes.tick_params(colors=INK)
        for spine in axes.spines.values():
            spine.set_edgecolor(INK)
        for text in (axes.title, axes.xaxis.label, axes.yaxis.label):
            text.set_color(INK)
        legend = axes.get_legend()
        for text in legend.get_texts() if legend is not None else ():
            text.set_color(INK)
    buffer = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "vidcls"}):
        plain_texts(figure).savefig(buffer, format="svg", metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    natural_px = round(figure.get_figwidth() * CSS_PX_PER_INCH)  # where its letters have the size that they say
    opened = rf'<svg viewBox="\1" style="--natural: {natural_px}px" LABEL>'
    svg = re.sub(r'<svg [^>]*?viewBox="([^"]+)"[^>]*>', opened, svg, count=1)
    # Pictures of one page share their names.
    salt = f"c{crc32(alternative.encode())}_"
    svg = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{salt}", svg)
    return svg.replace("LABEL", f'role="img" aria-label="{escape(alternative)}" class="chart"', 1)
