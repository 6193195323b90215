"""The scored videos of a test -> each metric with its interval, and what answers without looking would reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidcls.runs.results import ScoredVideos
from vidcls.tasks import MetricName
from vidcls.tasks.accuracies import accuracy
from vidcls.tasks.task import Measure

NUM_DRAWS = 2000
CONFIDENCE = 0.95


class Interval(NamedTuple):
    """Where a metric would lie for other groups of videos, 0 to 1.

    Args:
        low: lower end.
        high: upper end.
        is_exact: whether it is the exact interval of as many trials as there are groups, since (nearly) all draws of
            groups gave one value: all videos are right, or each group has the same share of right ones.
    """

    low: float
    high: float
    is_exact: bool = False


@dataclass(frozen=True)
class Estimate:
    """A metric of a test, with the interval in which it would lie for other groups of videos.

    Args:
        name: of the metric.
        value: of the videos that were tested.
        interval: of 95 %; None where all videos are of one group, from which nothing follows for others.
    """

    name: MetricName
    value: float
    interval: Interval | None

    @property
    def title(self) -> str:
        """Of the metric, such as ``top-1``."""
        return self.name.title

    def includes(self, value: float) -> bool:
        """Whether the interval includes a value, or lies below it: the test does not show more than that."""
        return self.interval is None or self.interval.low <= value


def estimates(videos: ScoredVideos, *, seed: int = 0) -> list[Estimate]:
    """The metrics of the task with 95 % bootstrap intervals over groups; see :func:`group_intervals`."""
    names = videos.task.metric_names
    measures = {name.key: videos.measures[name.key] for name in names}
    intervals = group_intervals([measures], [videos.independent_groups], seed=seed)
    return [Estimate(name, measures[name.key](None), intervals[name.key]) for name in names]


def hit_estimate(
    name: MetricName, is_correct: NDArray[np.bool_], groups: Sequence[str | None], *, seed: int = 0
) -> Estimate:
    """The share of right videos, with its interval over groups.

    Args:
        name: of the metric.
        is_correct: whether each video was right ``(N,)``.
        groups: of the videos ``(N,)``; None or empty text for a video that is a group of its own.
        seed: of the draws.
    """
    own = [f"group {group}" if group else f"video {number}" for number, group in enumerate(groups)]
    measures: dict[str, Measure] = {name.key: lambda weights: accuracy(is_correct, weights=weights)}
    intervals = group_intervals([measures], [own], seed=seed)
    return Estimate(name, accuracy(is_correct), intervals[name.key])


def mean_intervals(tests: Sequence[ScoredVideos], *, seed: int = 0) -> dict[str, Interval | None]:
    """The intervals by metric of the mean over several tests of the same groups, such as those of several seeds."""
    return group_intervals([test.measures for test in tests], [test.independent_groups for test in tests], seed=seed)


def group_intervals(
    measures: Sequence[Mapping[str, Measure]], groups: Sequence[Sequence[str]], *, seed: int = 0
) -> dict[str, Interval | None]:
    """The 95 % bootstrap interval of each metric, a mean over tests.

    Videos of one group (a person, a session) are alike, so that whole groups are drawn, with replacement (cluster
    bootstrap: Efron and Tibshirani: An Introduction to the Bootstrap, 1993); the interval is that of the percentiles.
    Where nearly every draw is the same, as where all videos are right, the interval is the exact one for as many
    independent trials as there are groups (Clopper and Pearson: The use of confidence or fiducial limits, Biometrika
    1934).

    Args:
        measures: of each test, by metric.
        groups: of the videos of each test; all tests have the same groups.
        seed: of the draws.

    Returns:
        by metric; None where there is one group.
    """
    names = np.unique(groups[0])
    positions = [np.searchsorted(names, list(of_test)) for of_test in groups]
    if len(names) == 1:
        return dict.fromkeys(measures[0])
    rng = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {key: [] for key in measures[0]}
    for _ in range(NUM_DRAWS):  # one at a time: a table of draws by groups and classes could be gigabytes
        times = rng.multinomial(len(names), np.full(len(names), 1 / len(names))).astype(float)
        for key, values in drawn.items():
            of_tests = [test[key](times[group]) for test, group in zip(measures, positions, strict=True)]
            values.append(float(np.mean(of_tests)))
    return {key: _interval(np.array(values), num_groups=len(names)) for key, values in drawn.items()}


def _interval(drawn: NDArray[np.float64], *, num_groups: int) -> Interval:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.percentile(drawn, [100 * tail, 100 * (1 - tail)])
    if high - low < 1e-9:  # rounding apart
        from scipy.stats import beta

        hits = float(np.median(drawn)) * num_groups
        low = beta.ppf(tail, hits, num_groups - hits + 1) if hits > 0 else 0.0
        high = beta.ppf(1 - tail, hits + 1, num_groups - hits) if hits < num_groups else 1.0
        return Interval(float(low), float(high), is_exact=True)
    return Interval(float(low), float(high))
