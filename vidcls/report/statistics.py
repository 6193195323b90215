"""The scored videos of a test -> classes, and calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vidcls.runs.results import ScoredVideos

NUM_BINS = 10


@dataclass(frozen=True)
class ClassRow:
    """One class in a test.

    Args:
        name: of the class.
        precision: share of the videos that were called so that are; None where none was.
        recall: share of its videos that were recognised; None where it has none.
        f1: harmonic mean of both; None where one is.
        support: number of its videos.
        confused_with: the class that it is most often taken for, and how often; None where never, or
            where a video may have several classes.
    """

    name: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: int
    confused_with: tuple[str, int] | None


@dataclass(frozen=True)
class Calibration:
    """Whether a probability means what it says.

    Args:
        error: expected calibration error: the mean distance of confidence and accuracy over the bins, by their videos
            (Guo et al.: On Calibration of Modern Neural Networks, ICML 2017).
        confidence: mean probability of the prediction by bin that has videos.
        accuracy: share that is right by the same bins.
        counts: videos in them.
    """

    error: float
    confidence: tuple[float, ...]
    accuracy: tuple[float, ...]
    counts: tuple[int, ...]


def class_rows(videos: ScoredVideos) -> list[ClassRow]:
    """Every class, in the order of the scores."""
    from sklearn.metrics import precision_recall_fscore_support

    precision, recall, f1, support = precision_recall_fscore_support(
        videos.labels, videos.predictions, labels=range(len(videos.class_names)), zero_division=np.nan
    )
    wrong = videos.confusion()
    if wrong is not None:
        np.fill_diagonal(wrong, 0)
    rows: list[ClassRow] = []
    for number, name in enumerate(videos.class_names):
        confused = None
        if wrong is not None and wrong[number].any():
            other = int(wrong[number].argmax())
            confused = (videos.class_names[other], int(wrong[number, other]))
        shares = [None if np.isnan(v[number]) else float(v[number]) for v in (precision, recall, f1)]
        rows.append(ClassRow(name, shares[0], shares[1], shares[2], int(support[number]), confused))
    return rows


def weakest(rows: Sequence[ClassRow], most: int) -> list[ClassRow]:
    """The classes with the lowest F1, those that were never recognised or predicted first; without test videos none."""
    tested = [row for row in rows if row.support]
    return sorted(tested, key=lambda row: (row.f1 or 0.0, row.recall or 0.0))[:most]


def calibration(videos: ScoredVideos) -> Calibration:
    """Confidence against accuracy in bins of equal width."""
    confidence, right = videos.confidence, videos.is_correct
    bins = np.minimum((confidence * NUM_BINS).astype(int), NUM_BINS - 1)
    rows = [(confidence[bins == k].mean(), right[bins == k].mean(), int((bins == k).sum())) for k in np.unique(bins)]
    error = sum(abs(c - a) * n for c, a, n in rows) / len(right)
    means, shares, counts = zip(*rows, strict=True)
    return Calibration(float(error), tuple(map(float, means)), tuple(map(float, shares)), counts)
