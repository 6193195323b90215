"""Numbers of a run -> pictures: the confusion matrix and the curves, as PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidcls.figures import COLUMN_INCHES, png_figure, save_png
from vidcls.files import write_csv
from vidcls.runs.confusion_figure import draw_confusion
from vidcls.runs.confusions import MOST_WITH_NAMES, MOST_WITH_NUMBERS, figure_cells
from vidcls.runs.curve_panels import LEGEND_LETTERS, RATE_TITLE, curve_panels, draw_panel
from vidcls.runs.curves import DRAWN, EPOCH, read_curves
from vidcls.tasks import Task

MANY_CLASSES_INCHES = 12.0  # side of the figure whose classes have no names: 1000 cells of a pixel and more


def draw_confusion_matrix(counts: NDArray[np.int64], class_names: Sequence[str], path: Path) -> None:
    """Write a confusion matrix as a figure, and the same as a csv file next to it.

    Colours are shares of the row. The counts are written up to 30 classes and the names up to 150; the figure of more
    is no larger than a screen, see :func:`figure_cells`.

    Args:
        counts: ``(K, K)``; rows are true classes, columns are predictions.
        class_names: K names.
        path: the ``.png`` file; its folder is made where missing.
    """
    K = len(class_names)
    if counts.shape != (K, K):
        raise ValueError(f"the confusion matrix is {counts.shape}, but there are {K} class names")
    table = path.with_suffix(".csv")
    write_csv(
        table,
        chain([("label", *class_names)], ((n, *row.tolist()) for n, row in zip(class_names, counts, strict=True))),
    )

    cells = figure_cells(counts)
    side_inches = MANY_CLASSES_INCHES if K > MOST_WITH_NAMES else max(4.0, _inches_per_class(K) * K)
    figure = png_figure(side_inches + 2.5, side_inches + 2.0)
    axes = figure.add_subplot()
    image = draw_confusion(axes, counts, class_names, cells)
    correct, total = int(np.trace(counts)), int(counts.sum())
    title = f"{correct} of {total} right"
    if K > MOST_WITH_NAMES:
        title += f"\nnumbers of the classes from 0, in the order of {table.name}"
    if cells.classes_per_cell > 1:
        C = cells.classes_per_cell
        title += f"; the colour of {C} x {C} classes is their largest share"
    axes.set_title(title)
    figure.colorbar(image, ax=axes, label="share of the label's videos", shrink=0.6)
    if MOST_WITH_NUMBERS < K <= MOST_WITH_NAMES:
        axes.set_xticks([k - 0.5 for k in range(1, K)], minor=True)
        axes.set_yticks([k - 0.5 for k in range(1, K)], minor=True)
        axes.grid(which="minor", color="0.9", linewidth=0.4)
        axes.tick_params(which="minor", length=0)
    save_png(figure, path)


def _inches_per_class(num_classes: int) -> float:
    return 0.45 if num_classes <= MOST_WITH_NUMBERS else 0.17


def draw_curves(metrics_csv: Path, path: Path, task: type[Task] | Task) -> None:
    """Draw the losses, main metrics and learning rate of a run, one under the other, from its ``metrics.csv``.

    Args:
        metrics_csv: columns ``step``, and by name such as ``train/loss``, ``val/spatial_top1``, ``lr-SGD``; empty
            cells are left out.
        path: the ``.png`` file; its folder is made where missing.
        task: says which metrics are drawn.

    Raises:
        ValueError: the file has neither a loss nor a metric of training or validation.
    """
    panels = curve_panels(read_curves(metrics_csv, drawn=(*DRAWN, EPOCH)), task)
    if not [panel for panel in panels if panel.title != RATE_TITLE]:
        raise ValueError(
            f"{metrics_csv}: has no loss and no {task.quality} to draw: train for at least one step that is logged"
        )
    heights = [2.6 + 0.2 * sum(1 + len(line.label) // LEGEND_LETTERS for line in panel.lines) for panel in panels]
    figure = png_figure(COLUMN_INCHES, sum(heights))
    for axes, panel in zip(figure.subplots(len(panels), 1, squeeze=False)[:, 0], panels, strict=True):
        draw_panel(axes, panel)
    save_png(figure, path)
