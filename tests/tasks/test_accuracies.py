"""Accuracies, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from vidcls.tasks.accuracies import accuracy, mean_class_accuracy

# Of class 0 three of 4 are right, of 1 none of 1, of 2 both, class 3 has no videos: 5 of 7; (3/4 + 0 + 1) / 3.
LABELS = np.array([0, 0, 0, 0, 1, 2, 2])
IS_CORRECT = np.array([True, True, True, False, False, True, True])


def test_top1_is_the_share_of_right_answers() -> None:
    assert accuracy(IS_CORRECT) == pytest.approx(5 / 7)


def test_mean_class_accuracy_counts_every_class_alike() -> None:
    assert mean_class_accuracy(LABELS, IS_CORRECT) == pytest.approx((0.75 + 0 + 1) / 3)


def test_a_weight_counts_a_video_that_often_and_a_class_without_weight_not_at_all() -> None:
    weights = np.array([1.0, 1, 0, 2, 0, 1, 1])
    assert accuracy(IS_CORRECT, weights=weights) == pytest.approx(4 / 6)
    assert mean_class_accuracy(LABELS, IS_CORRECT, weights=weights) == pytest.approx((2 / 4 + 1) / 2)
