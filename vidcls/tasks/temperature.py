"""Probabilities of validation videos and their targets -> the temperature with the lowest negative log-likelihood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidcls.tasks.decision import Scores
from vidcls.tasks.task import Task

BOUNDS = (0.05, 20.0)
"""Between which a temperature is sought: beyond them probabilities are 0 and 1, or all alike."""

MIN_VIDEOS = 10
"""Of fewer no temperature is fitted: one wrong video would decide it."""

NEAR_BOUND = 1.02
LOG_TINY = -80.0  # below the logarithm of any float32


@dataclass(frozen=True)
class FittedTemperature:
    """What was found.

    Args:
        temperature: T; 1 where none was fitted.
        note: why it is 1, or at a bound, as part of a sentence; empty where there is nothing to say.
    """

    temperature: float
    note: str = ""


def fit_temperature(probabilities: Scores, targets: NDArray[np.generic], task: Task) -> FittedTemperature:
    """The temperature with the lowest negative log-likelihood (Guo et al.: On Calibration of Modern Neural Networks).

    The likelihood of ``softmax(log p / T)`` has one maximum in T, which is found to four digits within :data:`BOUNDS`.
    Where every video is right by any margin it only grows as T shrinks: as such videos cannot say how sure to be, T
    stays at 1.

    Args:
        probabilities: ``(N, K)`` of videos that the network was not trained on.
        targets: ``(N,)`` or ``(N, K)``.
        task: what the targets mean.
    """
    from scipy.optimize import minimize_scalar

    if len(probabilities) < MIN_VIDEOS:
        return FittedTemperature(
            1.0, f"{len(probabilities)} validation videos are fewer than the {MIN_VIDEOS} it takes"
        )
    logits, truth = log_odds(probabilities, task), task.shares(targets)
    if _are_separated(logits, truth, task):
        return FittedTemperature(1.0, "every validation video is right, which does not say how sure to be")

    def loss(log_t: float) -> float:
        return mean_loss(logits / np.exp(log_t), truth, task)

    low, high = BOUNDS
    found = minimize_scalar(loss, bounds=(np.log(low), np.log(high)), method="bounded", options={"xatol": 1e-5})
    temperature = float(np.exp(found.x))
    if temperature < low * NEAR_BOUND:
        return FittedTemperature(low, f"the smallest that is tried is {low:g}")
    if temperature * NEAR_BOUND > high:
        return FittedTemperature(high, f"the largest that is tried is {high:g}: the probabilities say nothing")
    return FittedTemperature(temperature)


def _are_separated(logits: NDArray[np.float64], truth: NDArray[np.float64], task: Task) -> bool:
    """Whether every video is right, so that the likelihood has no maximum above a temperature of 0."""
    if task.has_one_class:
        return bool(((logits * truth).sum(axis=1) == logits.max(axis=1)).all())
    return bool(((logits > 0) == (truth > 0.5)).all())


def log_odds(probabilities: Scores, task: Task) -> NDArray[np.float64]:
    """Logits ``(N, K)`` whose probabilities these are: ``log p``, or ``log p - log(1 - p)`` of several classes."""
    p = probabilities.astype(np.float64)
    with np.errstate(divide="ignore"):
        logits = np.log(p) if task.has_one_class else np.log(p) - np.log1p(-p)
    return logits.clip(LOG_TINY, -LOG_TINY)


def mean_loss(logits: NDArray[np.float64], truth: NDArray[np.float64], task: Task) -> float:
    """Mean negative log-likelihood in nats: of the class of each video, or of each video and class.

    Args:
        logits: ``(N, K)``.
        truth: ``(N, K)`` what is in each video, 0 to 1.
        task: whether classes exclude each other.
    """
    if task.has_one_class:
        shifted = logits - logits.max(axis=1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return float(-(truth * log_p).sum(axis=1).mean())
    return float((np.logaddexp(0, logits) - truth * logits).mean())
