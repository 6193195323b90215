from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import balanced_accuracy_score

from vidcls.runs.estimates import NUM_DRAWS, Estimate, estimates, mean_intervals
from vidcls.runs.reading import reading
from vidcls.runs.results import ScoredVideos

RNG = np.random.default_rng(0)


def answers(labels: list[int], scores: list[list[float]], groups: list[str] | None = None) -> ScoredVideos:
    paths = tuple(f"{k}.mp4" for k in range(len(labels)))
    class_names = tuple("abcdefg"[: len(scores[0])])
    return ScoredVideos(class_names, paths, np.array(labels), tuple(groups or [""] * len(paths)), np.array(scores))


def width(estimate: Estimate) -> float:
    assert estimate.interval is not None
    return estimate.interval[1] - estimate.interval[0]


def random_answers(num: int, num_classes: int, groups: list[str] | None = None) -> ScoredVideos:
    labels = RNG.integers(0, num_classes, num)
    scores = RNG.dirichlet(np.ones(num_classes), num) + 0.05 * np.eye(num_classes)[labels]
    return answers(labels.tolist(), (scores / scores.sum(axis=1, keepdims=True)).tolist(), groups)


def test_values_are_those_of_the_videos_as_they_are() -> None:
    found = random_answers(200, 7)
    top1, top5, mean = estimates(found)
    assert top1.value == pytest.approx((found.predictions == found.labels).mean())
    best_five = np.argsort(-found.scores, axis=1)[:, :5]
    assert top5.value == pytest.approx((best_five == found.labels[:, None]).any(axis=1).mean())
    assert mean.value == pytest.approx(balanced_accuracy_score(found.labels, found.predictions))
    assert all(row.interval[0] < row.value < row.interval[1] for row in (top1, top5, mean))
    assert [row.title for row in estimates(random_answers(50, 3))] == ["top-1", "mean class accuracy"]


def test_the_interval_is_about_two_standard_errors_where_every_video_is_a_group() -> None:
    found = random_answers(400, 2)
    top1 = estimates(found)[0]
    error = (top1.value * (1 - top1.value) / 400) ** 0.5
    assert width(top1) / 2 == pytest.approx(1.96 * error, rel=0.1)


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
    for row, values in zip(estimates(found)[::2], (top1, recall), strict=True):
        assert row.interval[:2] == pytest.approx(np.percentile(values, [2.5, 97.5]).tolist(), abs=1e-12)


def test_alike_videos_of_a_group_make_the_interval_wider() -> None:
    labels = [0, 1] * 50
    right = [[0.9, 0.1], [0.1, 0.9]] * 50
    wrong = [[0.1, 0.9], [0.9, 0.1]] * 50
    scores = [*right[:50], *wrong[:50]]  # half of the groups are all right, the others all wrong
    groups = [f"person{k // 10}" for k in range(100)]
    apart, together = estimates(answers(labels, scores))[0], estimates(answers(labels, scores, groups))[0]
    assert together.value == apart.value == 0.5
    assert width(together) > 2 * width(apart)


def test_one_group_has_no_interval() -> None:
    top1 = estimates(answers([0, 1], [[0.9, 0.1], [0.9, 0.1]], ["a", "a"]))[0]
    assert (top1.value, top1.interval) == (0.5, None)


def test_where_every_draw_is_the_same_the_interval_is_the_exact_one_of_as_many_trials_as_groups() -> None:
    scores = [[0.9, 0.1]] * 12
    groups = [f"person{k // 3}" for k in range(12)]
    right, wrong = estimates(answers([0] * 12, scores, groups))[0], estimates(answers([1] * 12, scores, groups))[0]
    exact = binomtest(4, 4).proportion_ci(0.95, method="exact")
    assert right.interval is not None
    assert right.interval.is_exact
    assert right.interval[:2] == pytest.approx((exact.low, exact.high))
    assert wrong.interval[:2] == pytest.approx((1 - exact.high, 1 - exact.low))
    half = estimates(answers([0, 1] * 4, [[0.9, 0.1]] * 8, [f"person{k // 2}" for k in range(8)]))[0]
    exact = binomtest(2, 4).proportion_ci(0.95, method="exact")
    assert half.interval[:2] == pytest.approx((exact.low, exact.high))


def test_the_interval_of_a_mean_over_seeds_draws_the_same_groups_for_all_of_them() -> None:
    """Two tests that are wrong in each other's groups have the same mean for every draw."""
    labels, groups = [0] * 40, [f"g{k // 4}" for k in range(40)]
    first = [[0.9, 0.1] if k < 20 else [0.1, 0.9] for k in range(40)]
    second = [row[::-1] for row in first]
    found = mean_intervals([answers(labels, first, groups), answers(labels, second, groups)])
    exact = binomtest(5, 10).proportion_ci(0.95, method="exact")  # every draw is .5
    assert found["top1"][:2] == pytest.approx((exact.low, exact.high))
    alone = mean_intervals([answers(labels, first, groups)])
    assert alone["top1"] == estimates(answers(labels, first, groups))[0].interval


def lines(labels: list[int], scores: list[list[float]], groups: list[str] | None = None) -> list[str]:
    videos = answers(labels, scores, groups)
    return reading(videos, estimates(videos))


def test_a_test_that_shows_nothing_says_so_with_hits_interval_chance_and_largest_class() -> None:
    labels = [0] * 6 + [1] * 4
    scores = [[0.9, 0.1] if k % 2 else [0.1, 0.9] for k in range(10)]
    top1, without, verdict, mean, groups = lines(labels, scores)
    assert re.fullmatch(r"top-1 50\.0 % \(5 of 10 videos\); 95 % interval [12]0\.0 to 80\.0 % over 10 videos", top1)
    assert without == '  without looking at the videos: guessing 50.0 %, always "a" 60.0 %'
    assert verdict == '  this does not show that the model is better than always "a" (60.0 %)'
    assert mean.startswith("mean class accuracy 50.0 %; 95 % interval")
    assert "no groups are known" in groups


def test_a_test_that_shows_something_makes_no_such_remark() -> None:
    labels = [k % 3 for k in range(30)]
    found = lines(labels, np.eye(3)[labels].tolist(), [f"person{k // 3}" for k in range(30)])
    assert found == [
        "top-1 100.0 % (30 of 30 videos); 95 % interval 69.2 to 100.0 % over 10 groups, each taken as one trial",
        '  without looking at the videos: guessing 33.3 %, always "a" 33.3 %',
        "mean class accuracy 100.0 %; 95 % interval 69.2 to 100.0 % over 10 groups, each taken as one trial",
    ]


def test_one_group_says_that_there_is_no_interval() -> None:
    top1, *_ = lines([0, 1], [[0.9, 0.1], [0.9, 0.1]], ["a", "a"])
    assert top1.startswith("top-1 50.0 % (1 of 2 videos); no interval: all videos are of one group")
