"""The scores of a test -> for each class, how many videos it would be given at each threshold, and how many rightly."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from vidcls.runs.results import ScoredVideos

NUM_STEPS = 50
COLUMNS = ("class", "threshold", "called", "right", "precision", "recall")


@dataclass(frozen=True)
class ClassThresholds:
    """One class against all others.

    Args:
        name: of the class.
        num_videos: that are of it.
        called: how many videos have at least the probability k / 50 for it, for k from 0 to 50.
        right: how many of these are of it.
        average_precision: the mean of the precision over the recall (scikit-learn's); None where no video is of it.
    """

    name: str
    num_videos: int
    called: tuple[int, ...]
    right: tuple[int, ...]
    average_precision: float | None


def class_thresholds(videos: ScoredVideos) -> list[ClassThresholds]:
    """Every class, in the order of the scores."""
    from sklearn.metrics import average_precision_score

    classes_of = [set(videos.task.classes_of(label)) for label in videos.labels]
    steps = np.arange(NUM_STEPS + 1) / NUM_STEPS
    found: list[ClassThresholds] = []
    for number, name in enumerate(videos.class_names):
        scores = np.asarray(videos.scores[:, number], dtype=float)
        is_of_it = np.array([name in classes for classes in classes_of])
        called, right = (_at_least(some, steps) for some in (scores, scores[is_of_it]))
        precision = float(average_precision_score(is_of_it, scores)) if is_of_it.any() else None
        found.append(ClassThresholds(name, int(is_of_it.sum()), called, right, precision))
    return found


def threshold_rows(found: Sequence[ClassThresholds]) -> Iterator[tuple[object, ...]]:
    """The rows of a table, a line for each class and threshold; empty where nothing is called or nothing is of it."""
    yield COLUMNS
    for row in found:
        for step, (called, right) in enumerate(zip(row.called, row.right, strict=True)):
            precision = f"{right / called:.6f}" if called else ""
            recall = f"{right / row.num_videos:.6f}" if row.num_videos else ""
            yield row.name, f"{step / NUM_STEPS:.2f}", called, right, precision, recall


def as_json(found: Sequence[ClassThresholds]) -> str:
    """The same for the script of a page; no character of it ends a script."""
    rows = [[row.name, row.num_videos, row.called, row.right, row.average_precision] for row in found]
    return json.dumps(rows, separators=(",", ":")).replace("<", "\\u003c").replace("&", "\\u0026")


def weakest_class(found: Sequence[ClassThresholds]) -> int:
    """The number of the class with the lowest average precision, of those that have videos."""
    values = [1.0 if row.average_precision is None else row.average_precision for row in found]
    return int(np.argmin(values))


def _at_least(scores: np.ndarray, steps: np.ndarray) -> tuple[int, ...]:
    below = np.searchsorted(np.sort(scores), steps, side="left")
    return tuple((len(scores) - below).tolist())
