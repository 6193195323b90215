"""Labels and whether each was recognised -> top-1 and mean class accuracy of a finished test.

While a network runs, ``vidcls.tasks.metrics`` counts the same on its device, over batches and processes.
"""

from __future__ import annotations

import statistics

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float64]


def accuracy(is_correct: NDArray[np.bool_], *, weights: Weights | None = None) -> float:
    """Share of the videos that were recognised: top-1, or top-k where any of the k best classes is enough.

    Args:
        is_correct: ``(N,)``.
        weights: ``(N,)``: how often each video counts; once where None.
    """
    return float(np.average(is_correct, weights=weights))


def mean_class_accuracy(
    labels: NDArray[np.int64], is_correct: NDArray[np.bool_], *, weights: Weights | None = None
) -> float:
    """The mean over the classes that occur of the share of their videos that were recognised (balanced accuracy).

    Args:
        labels: ``(N,)`` numbers of the classes.
        is_correct: ``(N,)``.
        weights: ``(N,)``: how often each video counts; once where None.
    """
    videos = np.bincount(labels, weights)  # (K,)
    correct = np.bincount(labels, is_correct if weights is None else weights * is_correct)  # (K,)
    occurs = videos > 0
    return statistics.fmean((correct[occurs] / videos[occurs]).tolist())


def is_among_best(scores: NDArray[np.floating], labels: NDArray[np.int64], k: int) -> NDArray[np.bool_]:
    """Whether fewer than k classes are likelier than the label of each ``(N,)``; scores are ``(N, K)``."""
    of_label = scores[np.arange(len(scores)), labels][:, None]  # (N, 1)
    return (scores > of_label).sum(axis=1) < k


def confusion_counts(labels: NDArray[np.int64], predictions: NDArray[np.int64], num_classes: int) -> NDArray[np.int64]:
    """Counts ``(K, K)`` of labels and predictions, each ``(N,)``: rows are true classes, columns are predictions."""
    cells = np.bincount(labels * num_classes + predictions, minlength=num_classes**2)
    return cells.reshape(num_classes, num_classes)
