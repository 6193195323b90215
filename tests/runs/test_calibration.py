"""Whether probabilities mean what they say, in three numbers, which scikit-learn has too."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss

from vidcls.runs.calibration import at_temperature, calibration_metrics
from vidcls.runs.results import ScoredVideos


def scored(scores: np.ndarray, labels: np.ndarray) -> ScoredVideos:
    K, N = scores.shape[1], len(scores)
    return ScoredVideos(tuple("abcdef"[:K]), tuple(f"{k}.mp4" for k in range(N)), labels, ("",) * N, scores)


def test_likelihood_and_brier_score_equal_those_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    labels, scores = random.integers(3, size=50), random.dirichlet([0.5, 0.5, 0.5], size=50)
    found = calibration_metrics(scored(scores, labels))
    assert found.nll == pytest.approx(log_loss(labels, scores, labels=[0, 1, 2]), rel=1e-9)
    assert found.brier == pytest.approx(((scores - np.eye(3)[labels]) ** 2).sum() / 50, rel=1e-9)


def test_four_videos_by_hand() -> None:
    scores = np.array([[0.75, 0.25], [0.75, 0.25], [0.75, 0.25], [0.75, 0.25]])
    found = calibration_metrics(scored(scores, np.array([0, 0, 1, 1])))
    assert found.ece == pytest.approx(0.25)  # three quarters sure, half right
    assert found.brier == pytest.approx((0.125 + 1.125) / 2)


def test_a_temperature_is_undone_by_its_inverse() -> None:
    random = np.random.default_rng(1)
    videos = scored(random.dirichlet([0.5] * 4, size=20), random.integers(4, size=20))
    there = at_temperature(videos, 2.5)
    np.testing.assert_allclose(at_temperature(there, 1 / 2.5).scores, videos.scores, atol=1e-12)
    assert (there.predictions == videos.predictions).all()
