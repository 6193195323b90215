"""What a test found in a few numbers -> ``test.json``, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from vidcls.files import write_text
from vidcls.runs.folder import SUMMARY_FILE
from vidcls.settings_file import read_json

BY_VIEWS = "_by_views"


class Unread(TypedDict):
    """A video that could not be read.

    Args:
        path: its name in the data set.
        counts_as_wrong: whether it is among the scores.
        reason: why, beginning with the file.
    """

    path: str
    counts_as_wrong: bool
    reason: str


class Summary(TypedDict, total=False):
    """The content of ``test.json``; version 0.1 wrote neither ``dataset`` nor ``score``, nor groups, intervals and
    baselines.

    Besides these, ``<metric>_by_views`` has the share of right predictions from 1, 2, ... V views; see `by_views`.

    Args:
        checkpoint: the file that was tested.
        dataset: what it was tested on, in plain types.
        model: name of the class.
        fusion: of the streams; None for a model of one.
        num_videos: that were scored.
        unread: videos that could not be read.
        views_per_video: V.
        score: what is averaged over the views.
        task: what the labels mean; version 0.1 wrote none, and meant the default.
        class_names: K names, in the order of the scores.
        thresholds: from which probability on each class is predicted, where a video may have several.
        num_groups: persons, sessions or sources that the videos come from; None where no group is known.
        num_correct: videos that were recognised.
        intervals: of 95 % by metric, over groups; None where there is one group.
        baselines: what answers reach that do not depend on the video, by metric.
        temperature: by row, where probabilities were changed by one; 1 / T undoes it.
        calibration: ``ece``, ``nll`` and ``brier`` by row, ``before`` and ``after`` that, of the videos that were read.
        unknown: what a threshold for unknown videos does, where there is one or classes were left out; see
            :class:`vidcls.runs.selective.UnknownTest`.
        table: metrics in 0 to 1 by row: the model, its streams and their fusions.
    """

    checkpoint: str | None
    dataset: object
    model: str
    fusion: str | None
    num_videos: int
    unread: Sequence[Unread]
    views_per_video: int
    score: str
    task: str
    class_names: Sequence[str]
    thresholds: Sequence[float]
    num_groups: int | None
    num_correct: int
    intervals: Mapping[str, tuple[float, float] | None]
    baselines: Mapping[str, Mapping[str, float]]
    temperature: Mapping[str, float]
    calibration: Mapping[str, Mapping[str, Mapping[str, float]]]
    unknown: Mapping[str, object]
    table: Mapping[str, Mapping[str, float]]


def write_summary(folder: Path, summary: Summary, by_views: Mapping[str, Sequence[float]] | None = None) -> None:
    """Write ``test.json``.

    Args:
        folder: of the test.
        summary: what was found.
        by_views: the metric that says whether an answer is right, by its key, from 1, 2, ... V views of each video;
            empty values where it was not counted.
    """
    content = {**summary, **{f"{metric}{BY_VIEWS}": values for metric, values in (by_views or {}).items()}}
    write_text(folder / SUMMARY_FILE, json.dumps(content, indent=2) + "\n")


def by_views(summary: Summary, metric: str) -> list[float]:
    """The values of a metric from 1, 2, ... V views; empty where it was not counted."""
    found = dict(summary).get(f"{metric}{BY_VIEWS}")
    return list(found) if isinstance(found, list) else []


def read_summary(folder: Path) -> Summary:
    """What ``test.json`` says; which of its keys there must be, the caller knows.

    Raises:
        OSError: there is no such file, or it cannot be read.
        ValueError: it is damaged.
    """
    content: Summary = read_json(folder / SUMMARY_FILE)
    if not isinstance(content, dict):
        raise ValueError(f"{SUMMARY_FILE} holds no keys and values")
    return content


def tested_checkpoint(folder: Path) -> str | None:
    """``best``, ``last`` or the name of another checkpoint that a run was tested with; None before its test."""
    try:
        checkpoint = read_summary(folder).get("checkpoint")
    except FileNotFoundError:
        return None
    return Path(checkpoint).stem if checkpoint else None
