"""Scores and labels of validation videos that may have several -> the threshold of each class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DEFAULT_THRESHOLD = 0.5


def best_f1_thresholds(scores: NDArray[np.floating], targets: NDArray[np.generic]) -> tuple[float, ...]:
    """The threshold of each class, K of them, at which its F1 over these videos is the largest.

    Each class is cut on its own (Fan and Lin: A study on threshold selection for multi-label classification, 2007),
    half-way between two scores that occur, or at 0.5 where that lies between them; of thresholds that are as good, the
    one nearest to 0.5 counts. A class that all of the videos have, or none, keeps 0.5: nothing can be learned of it.

    The best threshold lies at half of the F1 that it reaches (Lipton, Elkan and Naryanaswamy: Optimal thresholding of
    classifiers to maximize F1 measure, ECML PKDD 2014), so that it is below 0.5 where a class is hard. From few videos
    it is uncertain, and what F1 it has on them is optimistic: they must be those of the validation, never of the test.

    Args:
        scores: probabilities ``(N, K)``.
        targets: ``(N, K)``: 1 where the video has the class, else 0.
    """
    columns = zip(np.asarray(scores, np.float64).T, targets.astype(np.bool_).T, strict=True)
    return tuple(_best(of_class, is_of_it) for of_class, is_of_it in columns)


def _best(scores: NDArray[np.float64], is_of_it: NDArray[np.bool_]) -> float:
    num = int(is_of_it.sum())
    if num in (0, len(is_of_it)):
        return DEFAULT_THRESHOLD
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))  # those with a score are called together
    right = np.cumsum(is_of_it[order])[ends]
    f1 = 2 * right / (ends + 1 + num)
    below = np.append(ordered[ends[1:]], 0.0)  # the next score that occurs
    has_half = (below < DEFAULT_THRESHOLD) & (ordered[ends] >= DEFAULT_THRESHOLD)
    thresholds = np.where(has_half, DEFAULT_THRESHOLD, (ordered[ends] + below) / 2)
    thresholds = np.where(thresholds > 0, thresholds, np.nextafter(0, 1))  # 0 would call what is sure not to be there
    best = np.flatnonzero(f1 >= f1.max() - 1e-12)
    return float(thresholds[best[np.abs(thresholds[best] - DEFAULT_THRESHOLD).argmin()]])
