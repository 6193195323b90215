"""The estimates of a test -> sentences that say how much they are worth: hits of n, interval, chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidcls.runs.estimates import CONFIDENCE, Estimate, hit_estimate
from vidcls.runs.results import ScoredVideos
from vidcls.tasks import Baseline, Task

UNKNOWN_GROUPS = "no groups are known: videos cut from one recording make the interval too narrow"


@dataclass(frozen=True)
class Tested:
    """How many videos, of how many groups, an estimate is about.

    Args:
        num_videos: N.
        num_groups: persons, sessions or sources; None where no group is known.
        num_correct: videos that were right.
        baselines: what answers reach that do not depend on the video.
    """

    num_videos: int
    num_groups: int | None
    num_correct: int
    baselines: Sequence[Baseline]


def reading(videos: ScoredVideos, found: Sequence[Estimate]) -> list[str]:
    """What a reader has to know beside the numbers: the videos that were right, intervals, and what guessing reaches.

    Args:
        videos: of the test.
        found: their estimates; see :func:`vidcls.runs.estimates.estimates`.
    """
    baselines = videos.task.baselines(videos.labels)
    tested = Tested(len(videos), videos.num_groups, int(videos.is_correct.sum()), baselines)
    lines: list[str] = []
    for estimate in found:
        if estimate.name.key == videos.task.hit_metric:
            lines += hit_lines(estimate, tested)
        elif estimate.name.key in videos.task.headline:
            lines.append(f"{estimate.title} {percent(estimate.value)}; {interval_text(estimate, tested)}")
            if estimate.name.key == videos.task.main_metric:
                lines += [f"  {line}" for line in baseline_lines(estimate, baselines)]
    if videos.num_groups is None:
        lines.append(f"  {UNKNOWN_GROUPS}")
    return lines


def reading_of_hits(
    task: Task, labels: NDArray[np.generic], is_correct: NDArray[np.bool_], groups: Sequence[str | None]
) -> list[str]:
    """The same where nothing but hits is known of the videos, as of a validation.

    Args:
        task: what the labels mean.
        labels: targets of the videos ``(N,)`` or ``(N, K)``.
        is_correct: whether each was right ``(N,)``.
        groups: of the videos ``(N,)``; None or empty text for one that has none.
    """
    num_groups = len({group or k for k, group in enumerate(groups)}) if any(groups) else None
    tested = Tested(len(is_correct), num_groups, int(is_correct.sum()), task.baselines(labels))
    lines = hit_lines(hit_estimate(task.hit_name, is_correct, groups), tested)
    return lines if num_groups is not None else [*lines, f"  {UNKNOWN_GROUPS}"]


def hit_lines(estimate: Estimate, tested: Tested) -> list[str]:
    """The share of the videos that were right, and what answers without looking reach."""
    hits = f"({tested.num_correct} of {tested.num_videos} videos)"
    first = f"{estimate.title} {percent(estimate.value)} {hits}; {interval_text(estimate, tested)}"
    return [first, *(f"  {line}" for line in baseline_lines(estimate, tested.baselines))]


def interval_text(estimate: Estimate, tested: Tested) -> str:
    """``95 % interval 43.2 to 72.7 % over 12 groups``, or why there is none."""
    if estimate.interval is None:
        return "no interval: all videos are of one group, from which nothing follows for others"
    low, high, is_exact = estimate.interval
    over = f"{tested.num_videos} videos" if tested.num_groups is None else f"{tested.num_groups} groups"
    exact = ", each taken as one trial" if is_exact else ""
    return f"{100 * CONFIDENCE:.0f} % interval {100 * low:.1f} to {100 * high:.1f} % over {over}{exact}"


def baseline_lines(estimate: Estimate, baselines: Sequence[Baseline]) -> list[str]:
    """What answers without looking reach, and whether the test shows that the model does better."""
    known = [(baseline.answer, baseline.values[estimate.name.key]) for baseline in baselines]
    if not known:
        return []
    lines = ["without looking at the videos: " + ", ".join(f"{answer} {percent(value)}" for answer, value in known)]
    answer, value = max(known, key=lambda pair: pair[1])
    if estimate.includes(value):
        lines.append(f"this does not show that the model is better than {answer} ({percent(value)})")
    return lines


def percent(share: float) -> str:
    """``59.1 %``."""
    return f"{100 * share:.1f} %"
