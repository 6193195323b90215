"""The validation scores of the members -> from which probability of their joint answer on a video has a class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vidcls.ensembles.members import Member
from vidcls.ensembles.weights import ValidationScores, combined
from vidcls.errors import ConfigurationError
from vidcls.tasks.class_thresholds import best_f1_thresholds
from vidcls.tasks.ensemble import Ensemble
from vidcls.tasks.multi_label import F1_MACRO


@dataclass(frozen=True)
class ChosenThresholds:
    """Thresholds, and what they gain; or why there are none.

    Args:
        thresholds: ``(K,)``; empty where every class keeps that of the task.
        line: what was chosen, on what, or why nothing was.
    """

    thresholds: tuple[float, ...]
    line: str


def choose_thresholds(
    members: Sequence[Member], ensemble: Ensemble, validation: Callable[[], ValidationScores]
) -> ChosenThresholds | None:
    """The thresholds with the best F1 of each class for what the members say together on validation videos.

    A mean of probabilities, and more so a product, lies elsewhere than those of its members, whose own thresholds it
    therefore cannot use.

    Args:
        members: of the ensemble. Where none of them has thresholds, their trainings wanted none, nor does it.
        ensemble: how they answer together.
        validation: what they are chosen on; asked only where they are.

    Returns:
        None where a video has one class.
    """
    if ensemble.task.thresholds is None:
        return None
    usual = "thresholds by class: 0.5 for each"
    if not any(member.decision.thresholds for member in members):
        return ChosenThresholds((), f"{usual}, as in the members")
    try:
        scored = validation()
    except ConfigurationError as error:
        return ChosenThresholds((), f"{usual}, though members have others: {error}; then make the ensemble again")
    videos = combined(ensemble, scored.members)
    found = best_f1_thresholds(videos.scores, videos.labels)
    before, after = (replace(videos, thresholds=each).measured(F1_MACRO.key) for each in (None, np.array(found)))
    return ChosenThresholds(
        found,
        f"thresholds by class: {min(found):.3f} to {max(found):.3f}, from {len(videos)} validation videos: macro F1 "
        f"{before:.3f} -> {after:.3f}",
    )
