"""A scored video -> its thumbnail on the page of a run: a still, the heat of the network, and what it was taken for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidcls.errors import VidclsError
from vidcls.explain import Explainer
from vidcls.explain.pictures import heat_arrays
from vidcls.predict.prediction import NO_CLASS
from vidcls.report.links import link_to
from vidcls.report.thumbnails import still_and_heat
from vidcls.runs.label_issues import LabelIssue
from vidcls.runs.results import ScoredVideos
from vidcls.video import VideoSource

PathOf = Callable[[str], VideoSource | None]
"""The name of a video in a test -> its file; None where it is not known."""


@dataclass(frozen=True)
class ShownVideo:
    """One thumbnail.

    Args:
        path: the name of the video.
        label: its class.
        prediction: what it was taken for.
        score: probability of that.
        still: data address of a frame; None where it could not be drawn, for which ``reason`` says why.
        heat: data address of the frames under their heat.
        reason: why there is no picture.
        arrays: the heat in numbers, see :func:`vidcls.explain.pictures.heat_arrays`.
        link: the address of the video, for a page that stays where it is written; None where it is not known.
    """

    path: str
    label: str
    prediction: str
    score: float
    still: str | None = None
    heat: str | None = None
    reason: str | None = None
    arrays: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    link: str | None = None


def shown_video(videos: ScoredVideos, number: int, explainer: Explainer | None, path_of: PathOf) -> ShownVideo:
    """A video with a still of it and its heat, or why there is none."""
    facts = (
        videos.paths[number],
        videos.label(number) or NO_CLASS,
        videos.prediction(number) or NO_CLASS,
        float(videos.confidence[number]),
    )
    if explainer is None:
        return ShownVideo(*facts, reason="no checkpoint to look with")
    path = path_of(facts[0])
    if path is None:
        return ShownVideo(*facts, reason="the file is not known")
    try:
        classes = videos.task.classes_of(videos.predictions[number])
        explanation = explainer(path, class_name=classes[0] if len(classes) == 1 else None, part=videos.part(number))
    except VidclsError as error:
        return ShownVideo(*facts, reason=str(error))
    return ShownVideo(*facts, *still_and_heat(explanation), arrays=heat_arrays(explanation))


def suspect(
    videos: ScoredVideos, issue: LabelIssue, explainer: Explainer | None, path_of: PathOf, page: Path | None
) -> ShownVideo:
    """A video whose label is probably wrong; its name leads to it from ``page``, where that is given."""
    found = replace(
        shown_video(videos, issue.number, explainer, path_of), prediction=issue.suggested, score=issue.p_suggested
    )
    return found if page is None else replace(found, link=link_to(path_of(issue.path), page))
