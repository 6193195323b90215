"""A curve of validation accuracy -> whether its training was stopped while it still got better."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

RULE = (
    "its budget ended while it still improved: the mean validation accuracy of the last fifth of the epochs exceeds "
    "that of the fifth before by more than one standard error sqrt(p (1 - p) / n) of n validation videos, or the "
    "training was stopped by its time before its last epoch"
)


def still_improving(accuracies: Sequence[float], num_videos: int) -> bool | None:
    """Whether the last fifth of a curve is higher than the fifth before by more than one standard error.

    ``p`` in the standard error is the mean of both fifths. A fifth has at least one epoch.

    Args:
        accuracies: of the validation split, 0 to 1, by epoch.
        num_videos: of the validation split.

    Returns:
        None where there are fewer than two epochs to hold against each other.
    """
    fifth = max(1, len(accuracies) // 5)
    last, before = accuracies[-fifth:], accuracies[-2 * fifth : -fifth]
    if not before:
        return None
    p_last, p_before = statistics.fmean(last), statistics.fmean(before)
    p = (p_last + p_before) / 2
    return p_last - p_before > math.sqrt(max(0.0, p * (1 - p)) / num_videos)
