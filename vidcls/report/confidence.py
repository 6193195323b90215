"""A tested run -> what a temperature did to its probabilities, or would do."""

from __future__ import annotations

from dataclasses import dataclass

from vidcls.runs.calibration import (
    Calibration,
    CalibrationMetrics,
    at_temperature,
    calibration,
    calibration_metrics,
    fitted_on,
)
from vidcls.runs.held_out import HeldOut
from vidcls.runs.run import RunFolder
from vidcls.types import MODEL_ROW


@dataclass(frozen=True)
class Confidence:
    """Probabilities of the test without a temperature and with one.

    Args:
        temperature: T.
        is_applied: whether the scores of the test are those with it.
        before: calibration error, likelihood and Brier score without it.
        after: the same with it.
        other: calibration by bins of what the page does not show elsewhere: before where it is applied, else after.
        source: the videos that it was fitted to, as part of a sentence.
        note: why it is 1 or at a bound; empty where there is nothing to say.
    """

    temperature: float
    is_applied: bool
    before: CalibrationMetrics
    after: CalibrationMetrics
    other: Calibration
    source: str
    note: str = ""

    @property
    def rows(self) -> list[tuple[str, float, float]]:
        """Name, before, after."""
        return [
            ("expected calibration error", self.before.ece, self.after.ece),
            ("negative log-likelihood (nats)", self.before.nll, self.after.nll),
            ("Brier score", self.before.brier, self.after.brier),
        ]


def confidence_of(run: RunFolder, held_out: HeldOut | None) -> Confidence | None:
    """The comparison; None where no temperature was fitted, and nothing was kept to fit one to.

    Args:
        run: was tested.
        held_out: scores of its validation videos.
    """
    unread = {video["path"] for video in run.summary.get("unread", ())}
    videos = run.videos.without(unread)
    if not len(videos):
        return None
    applied = (run.summary.get("temperature") or {}).get(MODEL_ROW)
    if applied is not None:
        before = at_temperature(videos, 1 / applied)
        source = held_out.facts.words if held_out is not None else "validation videos"
        return Confidence(
            applied, True, calibration_metrics(before), calibration_metrics(videos), calibration(before), source
        )
    if held_out is None or held_out.videos.class_names != videos.class_names:
        return None
    found = fitted_on(held_out.videos)
    after = at_temperature(videos, found.temperature)
    return Confidence(
        found.temperature,
        False,
        calibration_metrics(videos),
        calibration_metrics(after),
        calibration(after),
        held_out.facts.words,
        found.note,
    )
