"""Numbers of a run -> pictures: the confusion matrix and the curves, as PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vidcls.figures import png_figure, save_png
from vidcls.files import write_csv
from vidcls.runs.confusion_figure import draw_confusion
from vidcls.runs.confusions import MOST_WITH_NAMES, MOST_WITH_NUMBERS, figure_cells
from vidcls.runs.curves import Curve, read_curves
from vidcls.tasks import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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


def draw_curves(metrics_csv: Path, path: Path, task: type[Task]) -> None:
    """Draw the losses, main metrics and learning rate of a run, by optimiser step, from its ``metrics.csv``.

    Args:
        metrics_csv: columns ``step``, and by name such as ``train/loss``, ``val/spatial_top1``, ``lr-SGD``; empty
            cells are left out.
        path: the ``.png`` file; its folder is made where missing.
        task: says which metrics are drawn.

    Raises:
        ValueError: the file has neither a loss nor a metric of training or validation.
    """
    curves = read_curves(metrics_csv)
    panels = {
        "loss": {name: curve for name, curve in curves.items() if name.endswith("loss")},
        task.quality: {name: curve for name, curve in curves.items() if name.endswith(task.headline)},
        "learning rate": {name: curve for name, curve in curves.items() if name.startswith("lr-")},
    }
    drawn = {title: panel for title, panel in panels.items() if panel}
    if not {"loss", task.quality} & drawn.keys():
        raise ValueError(
            f"{metrics_csv}: has no loss and no {task.quality} to draw: train for at least one step that is logged"
        )
    figure = png_figure(5.5 * len(drawn), 4.8)
    for position, (title, panel) in enumerate(drawn.items(), start=1):
        axes = figure.add_subplot(1, len(drawn), position)
        _draw_panel(axes, panel)
        axes.set_title(title)
        if title == task.quality:
            axes.set_ylim(0, 1.02)
    save_png(figure, path)


def _draw_panel(axes: Axes, panel: dict[str, Curve]) -> None:
    """Training dashed and validation solid, with one colour for what differs in nothing else."""
    colors: dict[str, str] = {}
    for name, curve in sorted(panel.items()):
        part, _, rest = name.rpartition("/")
        color = colors.setdefault(rest, f"C{len(colors) % 10}")
        steps, values = zip(*curve, strict=True)
        linestyle, marker = "--" if part == "train" else "-", "." if len(curve) <= 30 else ""
        axes.plot(steps, values, label=name, linewidth=1.3, color=color, linestyle=linestyle, marker=marker)
    axes.set_xlabel("optimiser step")
    axes.grid(color="0.9")
    columns = 2 if len(panel) > 3 else 1
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=columns, frameon=False)
