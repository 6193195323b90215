"""Scores and labels of videos that may have several -> average precision and F1 of a finished test."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float64]
ByClass = Callable[[Weights | None], NDArray[np.float64]]
"""The value of each class ``(K,)``, NaN for one that no video has, of how often each video counts ``(N,)``."""


def average_precisions(scores: NDArray[np.floating], targets: NDArray[np.generic]) -> ByClass:
    """The average precision of each class.

    The sum over the distinct scores of a class of the gain in recall times the precision there, without interpolation
    (scikit-learn's; Buckley and Voorhees: Retrieval evaluation with incomplete information, SIGIR 2004). Videos of
    equal scores are called together, whatever their order.

    Args:
        scores: ``(N, K)``.
        targets: ``(N, K)``: 1 where the video has the class, else 0.
    """
    N, K = scores.shape
    order = np.argsort(-scores, axis=0, kind="stable")  # (N, K)
    ordered = np.take_along_axis(scores, order, axis=0)
    is_of_it = np.take_along_axis(targets.astype(np.bool_), order, axis=0)
    is_last = np.ones((N, K), np.bool_)  # of those with its score
    is_last[:-1] = ordered[1:] != ordered[:-1]
    numbers = np.where(is_last, np.arange(N)[:, None], N)
    last = np.minimum.accumulate(numbers[::-1], axis=0)[::-1]  # (N, K) where those with this score end

    def measure(weights: Weights | None = None) -> NDArray[np.float64]:
        each = np.ones((N, K)) if weights is None else weights[order]
        right = each * is_of_it
        called, found = np.cumsum(each, axis=0), np.cumsum(right, axis=0)
        precision = np.divide(found, called, out=np.zeros((N, K)), where=called > 0)
        sums = (right * np.take_along_axis(precision, last, axis=0)).sum(axis=0)
        return np.divide(sums, found[-1], out=np.full(K, np.nan), where=found[-1] > 0)

    return measure


def f1_by_class(predictions: NDArray[np.generic], targets: NDArray[np.generic]) -> ByClass:
    """The F1 of each class, from predictions and targets ``(N, K)`` of 0 and 1."""
    counts = confusions_by_class(predictions, targets)

    def measure(weights: Weights | None = None) -> NDArray[np.float64]:
        right, called, there = counts(weights)
        return np.divide(2 * right, called + there, out=np.full(len(there), np.nan), where=there > 0)

    return measure


def f1_of_all(predictions: NDArray[np.generic], targets: NDArray[np.generic]) -> Callable[[Weights | None], float]:
    """F1 over all pairs of a video and a class (micro); 0 where no class was called and none is there."""
    counts = confusions_by_class(predictions, targets)

    def measure(weights: Weights | None = None) -> float:
        right, called, there = (float(count.sum()) for count in counts(weights))
        return 2 * right / (called + there) if called + there else 0.0

    return measure


def confusions_by_class(
    predictions: NDArray[np.generic], targets: NDArray[np.generic]
) -> Callable[[Weights | None], tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]]:
    """How many videos ``(K,)`` are called rightly, are called, and are there, of each class."""
    called, there = predictions.astype(np.float64), targets.astype(np.float64)
    tables = (called * there, called, there)

    def count(weights: Weights | None = None) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        right, called, there = (table.sum(axis=0) if weights is None else weights @ table for table in tables)
        return right, called, there

    return count


def macro(by_class: NDArray[np.float64]) -> float:
    """The mean over the classes that occur; 0 where none does."""
    occurs = ~np.isnan(by_class)
    return float(by_class[occurs].mean()) if occurs.any() else 0.0
