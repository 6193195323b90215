"""Answers to the test videos -> top-1 and mean class accuracy, with their spread over seeds."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Answers = Mapping[str, tuple[str, str]]
"""Name of a video -> (label, prediction)."""


@dataclass(frozen=True)
class Spread:
    """Several measurements of one number.

    Args:
        mean: their mean.
        std: their sample standard deviation; None for fewer than two.
    """

    mean: float
    std: float | None


def top1(answers: Answers) -> float:
    """Share of the videos that were recognised."""
    return statistics.fmean(label == prediction for label, prediction in answers.values())


def mean_class_accuracy(answers: Answers) -> float:
    """The mean over the classes that occur of the share of their videos that were recognised."""
    by_class: dict[str, list[bool]] = defaultdict(list)
    for label, prediction in answers.values():
        by_class[label].append(label == prediction)
    return statistics.fmean(statistics.fmean(right) for right in by_class.values())


def spread(values: Sequence[float]) -> Spread:
    """Mean and sample standard deviation."""
    return Spread(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None)
