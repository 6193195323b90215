"""The scored videos of a test, each with any number of classes -> the precision of each class over its recall."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vidcls.report.charts import as_svg, figure_of
from vidcls.report.statistics import ClassRow
from vidcls.runs.results import ScoredVideos

MOST_PANELS, NUM_COLUMNS = 24, 4
WIDTH, HEIGHT = 2.4, 2.1  # inches of a panel


def precision_recall_chart(videos: ScoredVideos, rows: list[ClassRow]) -> str:
    """A panel for each class that occurs, those of the lowest average precision where there are many.

    The line is that of average precision: a step at each score that occurs, without interpolation. The dot is where the
    threshold of the class lies, the dotted line the share of the videos that have the class: what guessing reaches.

    Args:
        videos: of the test; their task has thresholds.
        rows: of all classes, in the order of the scores.
    """
    occurs = [k for k, row in enumerate(rows) if row.average_precision is not None]
    shown = sorted(sorted(occurs, key=lambda k: (rows[k].average_precision, k))[:MOST_PANELS])
    num_columns = min(NUM_COLUMNS, max(len(shown), 1))
    num_rows = max(math.ceil(len(shown) / num_columns), 1)
    figure = figure_of(WIDTH * num_columns, HEIGHT * num_rows)
    panels = figure.subplots(num_rows, num_columns, squeeze=False, sharex=True, sharey=True).flat
    for axes in panels:
        axes.set_visible(False)
    for axes, k in zip(figure.axes, shown, strict=False):
        row = rows[k]
        is_of_it = videos.labels[:, k].astype(np.bool_)
        recall, precision = curve(videos.scores[:, k], is_of_it)
        axes.set_visible(True)
        axes.step(recall, precision, where="pre", color="tab:blue")
        axes.axhline(is_of_it.mean(), color="tab:gray", linestyle=":")
        if row.precision is not None and row.recall is not None:
            axes.plot([row.recall], [row.precision], "o", color="tab:red")
        axes.set(
            xlim=(-0.02, 1.02), ylim=(-0.02, 1.05), title=f"{row.name}: {100 * (row.average_precision or 0):.0f} %"
        )
        axes.title.set_fontsize(9)
        axes.label_outer()
    figure.supxlabel("recall", fontsize=9)
    figure.supylabel("precision", fontsize=9)
    return as_svg(figure, "Precision over recall by class")


def curve(scores: NDArray[np.floating], is_of_it: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Recall, ascending from 0, and precision at each score that occurs; the area under its steps is the AP.

    Args:
        scores: ``(N,)``.
        is_of_it: ``(N,)``, at least one.
    """
    from sklearn.metrics import precision_recall_curve

    precision, recall, _ = precision_recall_curve(is_of_it, scores)
    return recall[::-1], precision[::-1]
