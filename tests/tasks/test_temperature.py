"""The temperature that makes validation scores most likely: known answers, and what cannot give one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, log_softmax, logit, softmax
from sklearn.linear_model import LogisticRegression

from vidcls.tasks import SingleLabel
from vidcls.tasks.temperature import BOUNDS, MIN_VIDEOS, fit_temperature

RANDOM = np.random.default_rng(0)
TASK = SingleLabel(("a", "b", "c", "d"))


class Several(SingleLabel):
    has_one_class = False


@pytest.mark.parametrize("known", [0.4, 1.0, 3.0])
def test_logits_that_were_scaled_by_a_known_temperature_give_it_back(known: float) -> None:
    logits = RANDOM.normal(size=(20_000, 4)) * 2
    labels = (softmax(logits, axis=1).cumsum(axis=1) > RANDOM.random((20_000, 1))).argmax(axis=1)
    assert fit_temperature(softmax(known * logits, axis=1), labels, TASK).temperature == pytest.approx(known, rel=0.03)
    there = (RANDOM.random(logits.shape) < expit(logits)).astype(np.float32)
    found = fit_temperature(expit(known * logits).astype(np.float32), there, Several(("a", "b", "c", "d")))
    assert found.temperature == pytest.approx(known, rel=0.03)


def test_videos_of_one_confidence_get_the_share_that_is_right() -> None:
    """Closed form: with p = .99 for the prediction and 80 % of them right, T = logit(.99) / logit(.8)."""
    p = np.tile([0.99, 0.01], (100, 1))
    labels = np.array([0] * 80 + [1] * 20)
    found = fit_temperature(p, labels, SingleLabel(("a", "b")))
    assert found.temperature == pytest.approx(logit(0.99) / logit(0.8), rel=1e-4)


def test_the_temperature_is_the_slope_of_scikit_learns_logistic_regression() -> None:
    z = RANDOM.normal(size=400) * 3
    labels = (RANDOM.random(400) < expit(0.6 * z)).astype(int)
    fitted = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-8).fit(z[:, None], labels)
    p = np.stack([1 - expit(z), expit(z)], axis=1)
    found = fit_temperature(p, labels, SingleLabel(("a", "b")))
    assert 1 / found.temperature == pytest.approx(float(fitted.coef_[0, 0]), rel=1e-3)


def test_no_other_temperature_is_more_likely() -> None:
    logits = RANDOM.normal(size=(60, 4)) * 3
    labels = np.where(RANDOM.random(60) < 0.6, logits.argmax(axis=1), RANDOM.integers(4, size=60))

    def loss(temperature: float) -> float:
        return -log_softmax(logits / temperature, axis=1)[np.arange(60), labels].mean()

    found = fit_temperature(softmax(logits, axis=1), labels, TASK).temperature
    assert all(loss(found) <= loss(other) for other in np.geomspace(*BOUNDS, 200))


@pytest.mark.parametrize(
    ("num_videos", "is_right", "temperature", "words"),
    [
        (MIN_VIDEOS - 1, True, 1.0, "9 validation videos are fewer than the 10 it takes"),
        (40, True, 1.0, "every validation video is right"),
        (40, False, BOUNDS[1], "the largest that is tried is 20"),
    ],
)
def test_where_no_temperature_is_best_it_says_so(
    num_videos: int, is_right: bool, temperature: float, words: str
) -> None:
    labels = np.arange(num_videos) % 4
    p = np.full((num_videos, 4), 0.02)
    p[np.arange(num_videos), labels if is_right else (labels + 1) % 4] = 0.94
    found = fit_temperature(p, labels, TASK)
    assert found.temperature == temperature
    assert words in found.note
