from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from vidcls.report.statistics import NUM_DRAWS, accuracies, calibration, class_rows, weakest
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


def test_accuracies_are_those_of_the_videos_as_they_are() -> None:
    found = random_answers(200, 7)
    top1, top5, mean = accuracies(found)
    assert top1.value == pytest.approx((found.predictions == found.labels).mean())
    best_five = np.argsort(-found.scores, axis=1)[:, :5]
    assert top5.value == pytest.approx((best_five == found.labels[:, None]).any(axis=1).mean())
    assert mean.value == pytest.approx(balanced_accuracy_score(found.labels, found.predictions))
    assert all(row.low < row.value < row.high for row in (top1, top5, mean))
    assert [row.title for row in accuracies(random_answers(50, 3))] == ["top-1", "mean class accuracy"]


def test_the_interval_is_about_two_standard_errors_where_every_video_is_a_group() -> None:
    found = random_answers(400, 2)
    top1 = accuracies(found)[0]
    error = (top1.value * (1 - top1.value) / 400) ** 0.5
    assert (top1.high - top1.low) / 2 == pytest.approx(1.96 * error, rel=0.1)


def test_draws_are_those_of_whole_groups_from_one_table_of_all_of_them() -> None:
    """The same draws at once, as a product of tables of groups and classes, which grows with both."""
    found = random_answers(120, 7, [f"person{k % 13}" for k in range(120)])
    names, group = np.unique(found.groups, return_inverse=True)
    drawn = np.random.default_rng(0).multinomial(len(names), np.full(len(names), 1 / len(names)), size=NUM_DRAWS)
    right = found.predictions == found.labels
    videos, hits = np.zeros((2, len(names), 7))
    np.add.at(videos, (group, found.labels), 1)
    np.add.at(hits, (group, found.labels), right)
    with np.errstate(invalid="ignore"):
        recall = np.nanmean((drawn @ hits) / (drawn @ videos), axis=1)
    top1 = (drawn @ hits).sum(axis=1) / (drawn @ videos).sum(axis=1)
    for row, values in zip(accuracies(found)[::2], (top1, recall), strict=True):
        assert (row.low, row.high) == pytest.approx(np.percentile(values, [2.5, 97.5]).tolist(), abs=1e-12)


def test_the_weakest_classes_come_first_and_those_without_videos_are_left_out() -> None:
    found = answers([0, 0, 1, 1, 2], [[1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0]])
    rows = weakest(class_rows(found), 2)
    assert [(row.name, row.recall) for row in rows] == [("c", 0.0), ("a", 0.5)]
    assert [row.name for row in weakest(class_rows(found), 9)] == ["c", "a", "b"]


def test_alike_videos_of_a_group_make_the_interval_wider() -> None:
    labels = [0, 1] * 50
    right = [[0.9, 0.1], [0.1, 0.9]] * 50
    wrong = [[0.1, 0.9], [0.9, 0.1]] * 50
    scores = [*right[:50], *wrong[:50]]  # half of the groups are all right, the others all wrong
    groups = [f"person{k // 10}" for k in range(100)]
    apart, together = accuracies(answers(labels, scores))[0], accuracies(answers(labels, scores, groups))[0]
    assert together.value == apart.value == 0.5
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_one_group_has_no_spread() -> None:
    top1 = accuracies(answers([0, 1], [[0.9, 0.1], [0.9, 0.1]], ["a", "a"]))[0]
    assert (top1.low, top1.value, top1.high) == (0.5, 0.5, 0.5)


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
