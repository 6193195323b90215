"""What is known of a data set -> inline SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vidcls.report.charts import BLUE, INK, ORANGE, as_svg, figure_of
from vidcls.types import SPLITS

GREEN = "#009e73"
MOST_CLASSES = 120
NUM_BINS = 24


def counts_chart(counts: Mapping[str, Mapping[str, int]]) -> str:
    """Videos by class and split, as bars; of more classes than can be told apart, how many have how many videos."""
    if len(counts) > MOST_CLASSES:
        return _sizes_chart(counts)
    figure = figure_of(4.4, 0.8 + 0.24 * len(counts))
    axes = figure.add_subplot()
    names = list(counts)
    start = np.zeros(len(names))
    for part, colour in zip(SPLITS, (BLUE, GREEN, ORANGE), strict=True):
        values = np.array([counts[name][part] for name in names])
        axes.barh(range(len(names)), values, left=start, color=colour, height=0.72, label=part)
        start += values
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.invert_yaxis()
    axes.set_xlabel("videos")
    axes.legend(fontsize=9, frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1))
    return as_svg(figure, f"Videos of {len(names)} classes by split; the table has the same numbers")


def _sizes_chart(counts: Mapping[str, Mapping[str, int]]) -> str:
    figure = figure_of(4.4, 2.9)
    axes = figure.add_subplot()
    sizes = {part: np.array([row[part] for row in counts.values()]) for part in SPLITS}
    bins = np.histogram_bin_edges(np.concatenate(list(sizes.values())), bins=NUM_BINS).tolist()
    axes.hist(list(sizes.values()), bins=bins, color=(BLUE, GREEN, ORANGE), label=list(sizes))
    axes.set_xlabel("videos of a class")
    axes.set_ylabel("classes")
    axes.legend(fontsize=9, frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1))
    low, middle, high = np.percentile(sizes["train"], [0, 50, 100])
    words = f"from {low:.0f} to {high:.0f} training videos, half of them up to {middle:g}"
    return as_svg(figure, f"Sizes of {len(counts)} classes: {words}; the table has the same numbers")


def lengths_chart(values: Sequence[float], *, unit: str, marked: float | None = None, mark: str = "") -> str:
    """How many videos are how long, with one length marked."""
    figure = figure_of(4.6, 2.9)
    axes = figure.add_subplot()
    axes.hist(values, bins=NUM_BINS, color=BLUE)
    if marked is not None:
        axes.axvline(marked, color=ORANGE, linewidth=1.5)
        axes.text(marked, 0.97 * axes.get_ylim()[1], f" {mark}", color=INK, fontsize=9, va="top")
    axes.set_xlabel(unit)
    axes.set_ylabel("videos")
    low, middle, high = np.percentile(values, [0, 50, 100])
    return as_svg(figure, f"Length in {unit}: from {low:.3g} to {high:.3g}, half of the videos up to {middle:.3g}")
