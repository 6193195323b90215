"""Several measurements of one number -> their mean and how far they spread."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """Several measurements of one number.

    Args:
        mean: their mean.
        std: their sample standard deviation; None for fewer than two.
    """

    mean: float
    std: float | None


def spread(values: Sequence[float]) -> Spread:
    """Mean and sample standard deviation."""
    return Spread(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None)
