"""The scale of decision values: as sure as the number of videos allows."""

from __future__ import annotations

import numpy as np
import pytest

from vidcls.probe.linear_heads import fit_scale, softmax


@pytest.mark.parametrize("num_each", [3, 30])
def test_values_that_are_always_right_are_as_sure_as_one_more_video_allows(num_each: int) -> None:
    labels = np.repeat(np.arange(2), num_each)
    values = np.where(np.eye(2, dtype=bool)[labels], 1.0, -1.0)
    probabilities = softmax(fit_scale(values, labels) * values)
    expected = (num_each + 1) / (num_each + 2)  # Platt 1999
    assert probabilities[np.arange(len(labels)), labels] == pytest.approx(expected, abs=1e-3)


def test_values_that_tell_nothing_are_unsure() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 200)
    values = rng.normal(size=(600, 3))
    assert softmax(fit_scale(values, labels) * values).max() < 0.5
