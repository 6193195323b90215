"""What the page of a run says of a temperature: of the one that was applied, or of the one that there could be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vidcls.report.confidence import confidence_of
from vidcls.report.html import rendered
from vidcls.runs.calibration import at_temperature, calibration_metrics
from vidcls.runs.held_out import HeldOut, HeldOutFacts
from vidcls.runs.results import ScoredVideos
from vidcls.runs.run import RunFolder


def overconfident(num_videos: int, seed: int) -> ScoredVideos:
    """Videos whose logits are three times too large."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(num_videos, 3)) * 2
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (p.cumsum(axis=1) > random.random((num_videos, 1))).argmax(axis=1)
    paths = tuple(f"{seed}/{k}.mp4" for k in range(num_videos))
    videos = ScoredVideos(("a", "b", "c"), paths, labels, ("",) * num_videos, p)
    return at_temperature(videos, 1 / 3)


TEST, VALIDATION = overconfident(300, 1), overconfident(3000, 2)
HELD_OUT = HeldOut(VALIDATION, HeldOutFacts(3000, VALIDATION.class_names, "single_label"))


def test_without_the_option_the_page_says_what_it_would_give() -> None:
    found = confidence_of(RunFolder(Path("run"), TEST, {}), HELD_OUT)
    assert found is not None
    assert not found.is_applied
    assert found.temperature == pytest.approx(3, rel=0.1)
    assert found.before == calibration_metrics(TEST)
    assert found.after.nll < found.before.nll
    assert found.after.ece < found.before.ece / 2
    text = rendered("confidence.html", {"confidence": found, "confidence_chart": "(chart)"})
    assert "One fitted to 3000 validation videos, one clip of each would be " in text
    assert "--model.decision.temperature_scaling true" in text


def test_where_it_was_applied_the_scores_before_are_the_networks_own_without_unread_videos() -> None:
    run = RunFolder(
        Path("run"),
        at_temperature(TEST, 3.0),
        {
            "temperature": {"model": 3.0},
            "unread": [{"path": TEST.paths[0], "counts_as_wrong": True, "reason": "damaged"}],
        },
    )
    found = confidence_of(run, HELD_OUT)
    assert found is not None
    assert found.is_applied
    read = ScoredVideos(TEST.class_names, TEST.paths[1:], TEST.labels[1:], TEST.groups[1:], TEST.scores[1:])
    assert found.before.nll == pytest.approx(calibration_metrics(read).nll, rel=1e-6)
    assert found.after.nll == pytest.approx(calibration_metrics(at_temperature(read, 3.0)).nll, rel=1e-6)


def test_the_test_is_never_what_a_temperature_is_fitted_to() -> None:
    found = confidence_of(RunFolder(Path("run"), TEST, {}), HELD_OUT)
    other = confidence_of(RunFolder(Path("run"), overconfident(40, 9), {}), HELD_OUT)
    assert found is not None
    assert other is not None
    assert found.temperature == other.temperature
    assert confidence_of(RunFolder(Path("run"), TEST, {}), None) is None
