"""Scores of videos -> what they say, against values worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scored import scored

from vidcls.runs.results import joined
from vidcls.tasks.accuracies import is_among_best
from vidcls.video_part import VideoPart


def test_accuracies_and_counts_are_those_of_the_likeliest_classes() -> None:
    videos = scored([0, 0, 1, 2], [[0.5, 0.3, 0.2], [0.2, 0.5, 0.3], [0, 1, 0], [0, 1, 0]])
    assert videos.measured("top1") == pytest.approx(2 / 4)
    assert videos.measured("mean_class_accuracy") == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert videos.confusion().tolist() == [[1, 1, 0], [0, 1, 0], [0, 1, 0]]
    assert is_among_best(videos.scores, videos.labels, 2).tolist() == [True, False, True, True]


def test_the_most_confident_errors_and_the_least_confident_correct_predictions_come_first() -> None:
    videos = scored([0, 0, 0, 0, 1], [[0.4, 0.6], [0.1, 0.9], [0.55, 0.45], [0.99, 0.01], [0.3, 0.7]])
    assert videos.most_confident_errors(5) == [1, 0]
    assert videos.least_confident_correct(2) == [2, 4]
    assert videos.least_confident_correct() == [2, 4, 3]


def test_scores_that_are_no_numbers_are_found() -> None:
    assert scored([0, 0, 0], [[np.nan, 1], [0, 1], [0, np.inf]]).not_finite.tolist() == [0, 2]


def test_a_video_without_a_group_is_a_group_of_its_own() -> None:
    assert scored([0, 0], [[1, 0], [1, 0]], groups=["anna", ""]).independent_groups == ("anna", "1.avi")


def test_tests_are_joined_by_the_names_of_their_classes() -> None:
    first = scored([0, 1], [[0.9, 0.1], [0.2, 0.8]], "ab", paths=["1", "2"])
    second = scored([0, 1], [[0.7, 0.3], [0.4, 0.6]], "bc", paths=["3", "4"])
    both = joined([first, second])
    assert both.class_names == ("a", "b", "c")
    assert both.paths == ("1", "2", "3", "4")
    assert both.labels.tolist() == both.predictions.tolist() == [0, 1, 1, 2]
    assert both.scores == pytest.approx(np.array([[0.9, 0.1, 0], [0.2, 0.8, 0], [0, 0.7, 0.3], [0, 0.4, 0.6]]))


def test_some_of_the_videos_take_everything_that_belongs_to_each_with_them() -> None:
    parts = (VideoPart(1.5, 3), None, VideoPart(3))
    videos = replace(
        scored([0, 1, 0], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], groups=("x", "y", "z")),
        parts=parts,
        thresholds=np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]),
    )
    found = videos.at(np.array([2, 0]))
    assert (found.paths, found.labels.tolist(), found.groups) == (("2.avi", "0.avi"), [0, 0], ("z", "x"))
    assert found.scores == pytest.approx(np.array([[0.6, 0.4], [0.9, 0.1]]))
    assert found.parts == (parts[2], parts[0])
    assert found.thresholds is not None
    assert found.thresholds.tolist() == [[0.5, 0.6], [0.1, 0.2]]
    assert videos.without({"1.avi"}).parts == (parts[0], parts[2])
    assert videos.without({"other.avi"}) is videos
