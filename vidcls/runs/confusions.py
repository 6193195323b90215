"""Counts of labels and predictions -> the worst confusions as rows, and cells that a figure of any size can show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_WITH_NUMBERS = 30  # classes in a figure whose cells have their counts in them
MOST_WITH_NAMES = 150  # classes in a figure whose rows and columns have their names
MOST_CELLS = 1000  # cells in a row of a figure of 12 inches, of a pixel at least
CONFUSION_COLUMNS = ("label", "prediction", "videos", "share")


@dataclass(frozen=True)
class Confusion:
    """One class that was taken for another.

    Args:
        label: the true class.
        prediction: what it was taken for.
        videos: how often.
        share: of the videos of the true class.
    """

    label: str
    prediction: str
    videos: int
    share: float


@dataclass(frozen=True)
class Cells:
    """A confusion matrix for a figure.

    Args:
        shares: ``(M, M)``: of the videos of a row, those in each column.
        classes_per_cell: classes in the rows and in the columns of one cell, which has the largest of their shares.
    """

    shares: NDArray[np.float32]
    classes_per_cell: int


def worst_confusions(
    counts: NDArray[np.int64], class_names: Sequence[str], *, most: int | None = None
) -> list[Confusion]:
    """Every pair of classes that was confused, the most frequent first, among equals the larger share.

    Args:
        counts: ``(K, K)``; rows are true classes, columns are predictions.
        class_names: K names.
        most: so many rows at most; all where None.
    """
    rows, columns = np.nonzero(counts)
    wrong = rows != columns
    rows, columns = rows[wrong], columns[wrong]
    videos = counts[rows, columns]
    shares = videos / counts.sum(axis=1)[rows]
    order = np.lexsort((-shares, -videos))[:most]  # stable: among equals that of the first class
    return [Confusion(class_names[rows[k]], class_names[columns[k]], int(videos[k]), float(shares[k])) for k in order]


def figure_cells(counts: NDArray[np.int64], *, most_cells: int = MOST_CELLS) -> Cells:
    """Shares of each row; of more classes than cells, neighbours share a cell, which has the largest of their shares.

    The largest and not the mean: a single confusion among thousands of classes stays as dark as it is.

    Args:
        counts: ``(K, K)``; rows are true classes, columns are predictions.
        most_cells: in a row of the figure, so that each has a pixel at least.
    """
    K = len(counts)
    shares = counts.astype(np.float32)
    shares /= np.maximum(counts.sum(axis=1, keepdims=True), 1)
    block = -(-K // most_cells)
    if block == 1:
        return Cells(shares, 1)
    M = -(-K // block)
    padded = np.zeros((M * block, M * block), dtype=np.float32)
    padded[:K, :K] = shares
    return Cells(padded.reshape(M, block, M, block).max(axis=(1, 3)), block)
