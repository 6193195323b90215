"""A confusion matrix -> cells, names and counts on the axes of a figure, for a file or for a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vidcls.runs.confusions import MOST_WITH_NAMES, MOST_WITH_NUMBERS, Cells

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable


def draw_confusion(
    axes: Axes, counts: NDArray[np.int64], class_names: Sequence[str], cells: Cells, *, is_vector: bool = False
) -> ScalarMappable:
    """Draw a confusion matrix, the first class at the top.

    Class k is centred at k of both axes; in a vector figure it lies between k and k + 1.

    Colours are shares of the row, so that rare classes show as well as frequent ones. The counts are written up to 30
    classes and the names up to 150.

    Args:
        axes: to draw on.
        counts: ``(K, K)``; rows are true classes, columns are predictions.
        class_names: K names.
        cells: see :func:`vidcls.runs.confusions.figure_cells`.
        is_vector: whether the figure becomes SVG, where up to 30 classes each cell is a shape; more would be megabytes.

    Returns:
        what has the colours, for a colour bar.
    """
    K = len(class_names)
    start = 0.0 if is_vector else -0.5
    centers = np.arange(K) + start + 0.5
    mappable: ScalarMappable
    if is_vector and K <= MOST_WITH_NUMBERS:
        mappable = axes.pcolormesh(cells.shares, cmap="Blues", vmin=0, vmax=1)
        axes.invert_yaxis()
    else:
        end = start + len(cells.shares) * cells.classes_per_cell
        interpolation = "none" if is_vector else "nearest"
        extent = (start, end, end, start)
        mappable = axes.imshow(cells.shares, cmap="Blues", vmin=0, vmax=1, interpolation=interpolation, extent=extent)
    axes.set_aspect("equal")
    if K <= MOST_WITH_NAMES:
        font_pt = 9 if K <= MOST_WITH_NUMBERS else 7
        axes.set_xticks(centers, class_names, rotation=90, fontsize=font_pt)
        axes.set_yticks(centers, class_names, fontsize=font_pt)
    axes.set_xlabel("prediction")
    axes.set_ylabel("label")
    if K <= MOST_WITH_NUMBERS:
        for row, column in zip(*np.nonzero(counts), strict=True):
            color = "white" if cells.shares[row, column] > 0.5 else "black"
            count = str(counts[row, column])
            axes.text(centers[column], centers[row], count, ha="center", va="center", color=color, fontsize=9)
    return mappable
