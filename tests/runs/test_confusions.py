"""Counts worked out by hand -> rows and cells."""

from __future__ import annotations

import numpy as np

from vidcls.runs.confusions import Confusion, figure_cells, worst_confusions
from vidcls.tasks.accuracies import confusion_counts


def test_counts_have_labels_in_rows_and_predictions_in_columns() -> None:
    labels, predictions = np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 0])
    assert confusion_counts(labels, predictions, 3).tolist() == [[1, 1, 0], [1, 2, 0], [0, 0, 0]]


def test_the_most_frequent_confusion_comes_first_and_among_equals_the_larger_share() -> None:
    counts = np.array([[5, 2, 1], [2, 0, 0], [7, 0, 90]])
    names = ["a", "b", "c"]
    assert worst_confusions(counts, names) == [
        Confusion("c", "a", 7, 7 / 97),
        Confusion("b", "a", 2, 1.0),
        Confusion("a", "b", 2, 2 / 8),
        Confusion("a", "c", 1, 1 / 8),
    ]
    assert len(worst_confusions(counts, names, most=3)) == 3
    assert worst_confusions(np.diag([1, 2, 0]), names) == []


def test_cells_are_shares_of_the_row_and_an_empty_row_is_empty() -> None:
    cells = figure_cells(np.array([[3, 1], [0, 0]]))
    assert cells.classes_per_cell == 1
    assert cells.shares.tolist() == [[0.75, 0.25], [0, 0]]


def test_one_confusion_among_thousands_of_classes_keeps_its_colour() -> None:
    counts = np.zeros((2345, 2345), dtype=np.int32)
    counts[2344, 7] = 4
    cells = figure_cells(counts)
    assert cells.classes_per_cell == 3
    assert cells.shares.shape == (782, 782)
    assert np.argwhere(cells.shares).tolist() == [[781, 2]]
    assert cells.shares.max() == 1
