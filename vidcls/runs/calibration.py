"""Scored videos -> whether their probabilities mean what they say: ECE, log-likelihood, Brier score."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import numpy as np

from vidcls.runs.results import ScoredVideos
from vidcls.tasks.decision import tempered
from vidcls.tasks.temperature import FittedTemperature, fit_temperature, log_odds, mean_loss

NUM_BINS = 10


@dataclass(frozen=True)
class Calibration:
    """Whether a probability means what it says.

    Args:
        error: expected calibration error: the mean distance of confidence and accuracy over the bins, by their videos
            (Guo et al.: On Calibration of Modern Neural Networks, ICML 2017).
        confidence: mean probability of the prediction by bin that has videos.
        accuracy: share that is right by the same bins.
        counts: videos in them.
    """

    error: float
    confidence: tuple[float, ...]
    accuracy: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class CalibrationMetrics:
    """Whether probabilities mean what they say, in three numbers, of which smaller is better.

    Args:
        ece: expected calibration error, 0 to 1.
        nll: mean negative log-likelihood, nats.
        brier: mean squared distance of probabilities and truth, summed over the classes of a video (Brier 1950).
    """

    ece: float
    nll: float
    brier: float


def calibration(videos: ScoredVideos) -> Calibration:
    """Confidence against accuracy in bins of equal width."""
    confidence, right = videos.task.claims(videos.scores, videos.labels)
    bins = np.minimum((confidence * NUM_BINS).astype(int), NUM_BINS - 1)
    rows = [(confidence[bins == k].mean(), right[bins == k].mean(), int((bins == k).sum())) for k in np.unique(bins)]
    error = sum(abs(c - a) * n for c, a, n in rows) / len(right)
    means, shares, counts = zip(*rows, strict=True)
    return Calibration(float(error), tuple(map(float, means)), tuple(map(float, shares)), counts)


def calibration_metrics(videos: ScoredVideos) -> CalibrationMetrics:
    """The three numbers of a test."""
    truth, p = videos.task.shares(videos.labels), videos.scores.astype(np.float64)
    return CalibrationMetrics(
        ece=calibration(videos).error,
        nll=mean_loss(log_odds(videos.scores, videos.task), truth, videos.task),
        brier=float(((p - truth) ** 2).sum(axis=1).mean()),
    )


def at_temperature(videos: ScoredVideos, temperature: float) -> ScoredVideos:
    """The same videos with their probabilities at another temperature; 1 / T undoes T."""
    return replace(videos, scores=tempered(videos.scores, temperature, videos.task))


def fitted_on(videos: ScoredVideos) -> FittedTemperature:
    """The temperature of scored validation videos; see :func:`vidcls.tasks.temperature.fit_temperature`."""
    return fit_temperature(videos.scores, videos.labels, videos.task)


def before_and_after(before: ScoredVideos, after: ScoredVideos) -> dict[str, dict[str, float]]:
    """Both by their names, for ``test.json``."""
    return {"before": asdict(calibration_metrics(before)), "after": asdict(calibration_metrics(after))}
