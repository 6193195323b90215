"""Accuracies and their spread, worked out by hand."""

from __future__ import annotations

import pytest

from vidcls.compare.accuracy import mean_class_accuracy, spread, top1

# Of class a 3 of 4 are right, of b 0 of 1, of c 2 of 2: 5 of 7; (3/4 + 0 + 1) / 3.
ANSWERS = {
    "1": ("a", "a"),
    "2": ("a", "a"),
    "3": ("a", "a"),
    "4": ("a", "b"),
    "5": ("b", "a"),
    "6": ("c", "c"),
    "7": ("c", "c"),
}


def test_top1_is_the_share_of_right_answers() -> None:
    assert top1(ANSWERS) == pytest.approx(5 / 7)


def test_mean_class_accuracy_counts_every_class_alike() -> None:
    assert mean_class_accuracy(ANSWERS) == pytest.approx((0.75 + 0 + 1) / 3)


def test_the_spread_is_the_sample_standard_deviation() -> None:
    found = spread([0.8, 0.9, 1.0])
    assert found.mean == pytest.approx(0.9)
    assert found.std == pytest.approx(0.1)


def test_one_seed_has_no_spread() -> None:
    assert spread([0.8]).std is None
