"""The scored videos of a test -> its classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vidcls.runs.results import ScoredVideos
from vidcls.tasks.average_precision import average_precisions


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
        average_precision: the mean of the precision over the recall (scikit-learn's), where a video may have several
            classes; None where none has it.
        threshold: the probability from which on it is predicted, where a video may have several classes.
    """

    name: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: int
    confused_with: tuple[str, int] | None
    average_precision: float | None = None
    threshold: float | None = None


def class_rows(videos: ScoredVideos) -> list[ClassRow]:
    """Every class, in the order of the scores."""
    from sklearn.metrics import precision_recall_fscore_support

    precision, recall, f1, support = precision_recall_fscore_support(
        videos.labels, videos.predictions, labels=range(len(videos.class_names)), zero_division=np.nan
    )
    wrong, thresholds = videos.confusion(), videos.task.thresholds
    precisions = None if thresholds is None else average_precisions(videos.scores, videos.labels)(None)
    if wrong is not None:
        np.fill_diagonal(wrong, 0)
    rows: list[ClassRow] = []
    for number, name in enumerate(videos.class_names):
        confused = None
        if wrong is not None and wrong[number].any():
            other = int(wrong[number].argmax())
            confused = (videos.class_names[other], int(wrong[number, other]))
        shares = [None if np.isnan(v[number]) else float(v[number]) for v in (precision, recall, f1)]
        row = ClassRow(name, shares[0], shares[1], shares[2], int(support[number]), confused)
        if thresholds is not None and precisions is not None:
            found = precisions[number]
            threshold = float(thresholds[number]) if thresholds.ndim == 1 else None  # of several tests, several
            row = replace(row, average_precision=None if np.isnan(found) else float(found), threshold=threshold)
        rows.append(row)
    return rows


def weakest(rows: Sequence[ClassRow], most: int) -> list[ClassRow]:
    """The classes with the lowest F1, those that were never recognised or predicted first; without test videos none."""
    tested = [row for row in rows if row.support]
    return sorted(tested, key=lambda row: (row.f1 or 0.0, row.recall or 0.0))[:most]
