from __future__ import annotations

import numpy as np
import pytest

from vidcls.report.statistics import class_rows, weakest
from vidcls.runs.calibration import calibration
from vidcls.runs.results import ScoredVideos

RNG = np.random.default_rng(0)


def answers(labels: list[int], scores: list[list[float]], groups: list[str] | None = None) -> ScoredVideos:
    paths = tuple(f"{k}.mp4" for k in range(len(labels)))
    class_names = tuple("abcdefg"[: len(scores[0])])
    return ScoredVideos(class_names, paths, np.array(labels), tuple(groups or [""] * len(paths)), np.array(scores))


def random_answers(num: int, num_classes: int, groups: list[str] | None = None) -> ScoredVideos:
    labels = RNG.integers(0, num_classes, num)
    scores = RNG.dirichlet(np.ones(num_classes), num) + 0.05 * np.eye(num_classes)[labels]
    return answers(labels.tolist(), (scores / scores.sum(axis=1, keepdims=True)).tolist(), groups)


def test_the_weakest_classes_come_first_and_those_without_videos_are_left_out() -> None:
    found = answers([0, 0, 1, 1, 2], [[1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0]])
    rows = weakest(class_rows(found), 2)
    assert [(row.name, row.recall) for row in rows] == [("c", 0.0), ("a", 0.5)]
    assert [row.name for row in weakest(class_rows(found), 9)] == ["c", "a", "b"]


def test_classes_have_their_counts_and_what_they_are_taken_for() -> None:
    found = answers([0, 0, 0, 1], [[0.9, 0.1, 0], [0.2, 0.8, 0], [0.3, 0.7, 0], [0.1, 0.9, 0]])
    first, second, third = class_rows(found)
    assert found.confusion().tolist() == [[1, 2, 0], [0, 1, 0], [0, 0, 0]]
    assert (first.precision, first.recall, first.support, first.confused_with) == (
        1.0,
        pytest.approx(1 / 3),
        3,
        ("b", 2),
    )
    assert (second.precision, second.recall, second.confused_with) == (pytest.approx(1 / 3), 1.0, None)
    assert (third.precision, third.recall, third.support) == (None, None, 0)


def test_calibration_is_the_mean_distance_of_confidence_and_accuracy() -> None:
    found = calibration(answers([0, 0, 0, 1], [[0.95, 0.05], [0.95, 0.05], [0.65, 0.35], [0.65, 0.35]]))
    assert found.counts == (2, 2)
    assert found.accuracy == (0.5, 1.0)
    assert found.confidence == pytest.approx((0.65, 0.95))
    assert found.error == pytest.approx((0.15 + 0.05) / 2)
