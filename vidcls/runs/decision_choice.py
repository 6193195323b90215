"""Scored validation videos -> what turns scores into answers, and lines that say what was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from vidcls.runs.calibration import at_temperature, calibration_metrics, fitted_on
from vidcls.runs.results import ScoredVideos
from vidcls.tasks.class_thresholds import best_f1_thresholds
from vidcls.tasks.decision import Decision, UnknownScore
from vidcls.tasks.multi_label import F1_MACRO
from vidcls.tasks.temperature import MIN_VIDEOS
from vidcls.types import MODEL_ROW


@dataclass(frozen=True)
class ValidationVideos:
    """Videos of a validation, or training videos that were scored by cross-validation: never of a test.

    Args:
        rows: their scores by row of the test's table, ``model`` first, as the network gives them.
    """

    rows: Mapping[str, ScoredVideos]


def choose_decision(
    validation: ValidationVideos,
    *,
    temperature_scaling: bool,
    unknown: UnknownScore | None,
    known_share: float,
    thresholds: bool = True,
) -> tuple[Decision, list[str]]:
    """The decision, and a line for each thing that was chosen or left as it is.

    Args:
        validation: what it is chosen on.
        temperature_scaling: whether each row gets a temperature.
        unknown: by what a video is taken for one of no class; None for never.
        known_share: share of these videos that stays known.
        thresholds: whether each class gets the threshold with the best F1, where a video may have several.
    """
    model = validation.rows[MODEL_ROW]
    temperature: dict[str, float] = {}
    lines: list[str] = []
    if temperature_scaling:
        for row, videos in validation.rows.items():
            found = fitted_on(videos)
            temperature[row] = found.temperature
            if row == MODEL_ROW:
                lines.append(_temperature_line(model, found.temperature, found.note))
    threshold: float | None = None
    if unknown is not None:
        if len(model) < MIN_VIDEOS:
            lines.append(
                f"unknown: no threshold: {len(model)} validation videos are fewer than the {MIN_VIDEOS} it takes"
            )
        else:
            confidence = at_temperature(model, temperature.get(MODEL_ROW, 1.0)).confidence
            threshold = threshold_that_keeps(confidence, known_share)
            kept = int((confidence >= threshold).sum())
            lines.append(
                f"unknown: a largest probability below {threshold:.3f}, which keeps {kept} of {len(model)} videos"
            )
    by_class: tuple[float, ...] = ()
    if thresholds and model.task.thresholds is not None:
        at_own = at_temperature(model, temperature.get(MODEL_ROW, 1.0))
        by_class = best_f1_thresholds(at_own.scores, at_own.labels)
        lines.append(_thresholds_line(at_own, by_class))
    decision = Decision(temperature, threshold, unknown or "max_probability", by_class, num_videos=len(model))
    return decision, lines


def threshold_that_keeps(confidence: np.ndarray, share: float) -> float:
    """The largest threshold with at least this share of the confidences ``(N,)`` at or above it: one of them."""
    num_kept = int(np.ceil(share * len(confidence) - 1e-9))
    return float(np.sort(confidence)[len(confidence) - num_kept])


def _thresholds_line(videos: ScoredVideos, thresholds: tuple[float, ...]) -> str:
    before, after = videos, replace(videos, thresholds=np.array(thresholds))
    return (
        f"thresholds by class: {min(thresholds):.3f} to {max(thresholds):.3f}, from {len(videos)} validation videos: "
        f"macro F1 {before.measured(F1_MACRO.key):.3f} -> {after.measured(F1_MACRO.key):.3f}"
    )


def _temperature_line(videos: ScoredVideos, temperature: float, note: str) -> str:
    if note:
        return f"temperature: {temperature:g}: {note}"
    before, after = calibration_metrics(videos), calibration_metrics(at_temperature(videos, temperature))
    return (
        f"temperature: {temperature:.3f}, from {len(videos)} held-out videos: negative log-likelihood "
        f"{before.nll:.3f} -> {after.nll:.3f}, calibration error {before.ece:.3f} -> {after.ece:.3f}"
    )
