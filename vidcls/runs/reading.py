"""The estimates of a test -> sentences that say how much they are worth: hits of n, interval, chance."""

from __future__ import annotations

from collections.abc import Sequence

from vidcls.runs.estimates import CONFIDENCE, Estimate
from vidcls.runs.results import ScoredVideos
from vidcls.tasks import Baseline

UNKNOWN_GROUPS = "no groups are known: videos cut from one recording make the interval too narrow"


def reading(videos: ScoredVideos, found: Sequence[Estimate]) -> list[str]:
    """What a reader has to know beside the numbers: the videos that were right, intervals, and what guessing reaches.

    Args:
        videos: of the test.
        found: their estimates; see :func:`vidcls.runs.estimates.estimates`.
    """
    baselines = videos.task.baselines(videos.labels)
    lines: list[str] = []
    for estimate in found:
        if estimate.name.key not in videos.task.headline:
            continue
        is_share = estimate.name.key == videos.task.hit_metric
        hits = f" ({int(videos.is_correct.sum())} of {len(videos)} videos)" if is_share else ""
        lines.append(f"{estimate.title} {percent(estimate.value)}{hits}; {interval_text(estimate, videos)}")
        if is_share:
            lines += [f"  {line}" for line in baseline_lines(estimate, baselines)]
    if videos.num_groups is None:
        lines.append(f"  {UNKNOWN_GROUPS}")
    return lines


def interval_text(estimate: Estimate, videos: ScoredVideos) -> str:
    """``95 % interval 43.2 to 72.7 % over 12 groups``, or why there is none."""
    if estimate.interval is None:
        return "no interval: all videos are of one group, from which nothing follows for others"
    low, high = estimate.interval
    over = f"{len(videos)} videos" if videos.num_groups is None else f"{videos.num_groups} groups"
    return f"{100 * CONFIDENCE:.0f} % interval {100 * low:.1f} to {100 * high:.1f} % over {over}"


def baseline_lines(estimate: Estimate, baselines: Sequence[Baseline]) -> list[str]:
    """What answers without looking reach, and whether the test shows that the model does better."""
    known = [(baseline.answer, baseline.values[estimate.name.key]) for baseline in baselines]
    if not known:
        return []
    lines = ["without looking at the videos: " + ", ".join(f"{answer} {percent(value)}" for answer, value in known)]
    answer, value = max(known, key=lambda pair: pair[1])
    if estimate.includes(value):
        lines.append(f"this test does not show that the model is better than {answer} ({percent(value)})")
    return lines


def percent(share: float) -> str:
    """``59.1 %``."""
    return f"{100 * share:.1f} %"
