"""The mark of a training that was stopped too early, on curves of known shape."""

from __future__ import annotations

import random

import pytest

from vidcls.compare.improving import still_improving

NUM_EPOCHS = 20
RISING = [0.2 + 0.03 * epoch for epoch in range(NUM_EPOCHS)]
FLAT = [0.7] * NUM_EPOCHS
SATURATED = [min(1.0, 0.2 + 0.2 * epoch) for epoch in range(NUM_EPOCHS)]
FALLING = RISING[::-1]


@pytest.mark.parametrize(
    ("curve", "expected"), [(RISING, True), (FLAT, False), (SATURATED, False), (FALLING, False), ([0.0] * 9, False)]
)
def test_only_a_rising_curve_still_improves(curve: list[float], expected: bool) -> None:
    assert still_improving(curve, 256) is expected


def test_noise_around_a_level_is_no_improvement() -> None:
    """Each accuracy is of 256 newly drawn videos: the noise is at its greatest, and four epochs are averaged."""
    draw = random.Random(0)
    marked = 0
    for _ in range(200):
        curve = [sum(draw.random() < 0.7 for _ in range(256)) / 256 for _ in range(NUM_EPOCHS)]
        marked += still_improving(curve, 256) is True
    assert marked < 0.12 * 200  # the mean of four has half the error: one error is 1.41 of the difference's, 8 %


@pytest.mark.parametrize(("num_videos", "expected"), [(99, False), (101, True)])
def test_the_threshold_is_one_standard_error_of_the_validation_part(num_videos: int, expected: bool) -> None:
    """From .475 to .525 around p = .5: the error is .5 / sqrt(n), which is .05 for 100 videos."""
    assert still_improving([0.475, 0.525], num_videos) is expected


def test_a_fifth_of_the_epochs_is_held_against_the_fifth_before() -> None:
    early_jump = [0.0] * 5 + [0.9] * 5  # fifths of two epochs: the jump lies before both
    late_jump = [0.0] * 8 + [0.9] * 2
    assert still_improving(early_jump, 100) is False
    assert still_improving(late_jump, 100) is True


@pytest.mark.parametrize("curve", [[], [0.5]])
def test_of_one_epoch_nothing_can_be_said(curve: list[float]) -> None:
    assert still_improving(curve, 100) is None
