"""Which answers to keep: the curve of risk by coverage, and known videos told from unknown ones."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from vidcls.runs.decision_choice import ValidationVideos, choose_decision, threshold_that_keeps
from vidcls.runs.results import ScoredVideos
from vidcls.runs.selective import risk_coverage, unknown_test, unknown_test_in


def scored(confidence: list[float], right: list[int]) -> ScoredVideos:
    """Videos of two classes whose first class is predicted with that confidence."""
    p = np.array(confidence)
    paths = tuple(f"{k}.mp4" for k in range(len(p)))
    return ScoredVideos(("a", "b"), paths, 1 - np.array(right), ("",) * len(p), np.stack([p, 1 - p], axis=1))


def test_the_curve_of_four_videos_by_hand() -> None:
    found = risk_coverage(scored([0.9, 0.6, 0.8, 0.7], [1, 0, 1, 0]))
    assert found.coverage == (0.25, 0.5, 0.75, 1.0)
    assert found.risk == pytest.approx((0, 0, 1 / 3, 1 / 2))
    assert found.area == pytest.approx((0 + 0 + 1 / 3 + 1 / 2) / 4)


def test_videos_of_equal_confidence_count_in_any_order() -> None:
    found = risk_coverage(scored([0.8, 0.8, 0.6], [0, 1, 1]))
    assert found.coverage == (2 / 3, 1.0)
    assert found.area == pytest.approx((0.5 + 0.5 + 1 / 3) / 3)
    assert found == risk_coverage(scored([0.8, 0.8, 0.6], [1, 0, 1]))


def test_a_threshold_keeps_the_share_that_was_asked_for() -> None:
    confidence = np.random.default_rng(0).random(200)
    for share in (0.5, 0.95, 1.0):
        below = threshold_that_keeps(confidence, share)
        assert (confidence >= below).sum() == round(200 * share)
    assert (confidence >= threshold_that_keeps(confidence, 0.951)).sum() == 191  # no fewer than asked for


def test_a_test_with_videos_of_no_class_equals_scikit_learn_and_is_read_back() -> None:
    random = np.random.default_rng(0)
    known, left_out = scored(list(0.5 + random.random(40) / 2), [1, 0] * 20), random.random(30)
    found = unknown_test(known, 0.6, left_out, ("c",))
    assert found is not None
    truth = np.append(np.ones(40), np.zeros(30))
    assert found.auroc == roc_auc_score(truth, np.append(known.confidence, left_out))
    assert found.found == (left_out < 0.6).mean()
    assert found.kept == (known.confidence >= 0.6).mean()
    summary: Any = {"unknown": json.loads(json.dumps(found.to_dict()))}
    assert unknown_test_in(summary) == found
    assert unknown_test(known, None) is None
    assert unknown_test_in({}) is None


def test_what_is_chosen_takes_validation_videos_alone() -> None:
    validation = scored(list(np.linspace(0.5, 1, 20)), [0, 1] * 10)
    decision, lines = choose_decision(
        ValidationVideos({"model": validation}), temperature_scaling=False, unknown="max_probability", known_share=0.9
    )
    assert (validation.confidence >= decision.unknown_below).sum() == 18
    assert (decision.num_videos, dict(decision.temperature)) == (20, {})
    assert lines == [f"unknown: a largest probability below {decision.unknown_below:.3f}, which keeps 18 of 20 videos"]
    few, lines = choose_decision(
        ValidationVideos({"model": scored([0.9] * 4, [1] * 4)}),
        temperature_scaling=True,
        unknown="max_probability",
        known_share=0.9,
    )
    assert few.unknown_below is None
    assert lines[0].startswith("temperature: 1: 4 validation videos are fewer than the 10")
    assert lines[1] == "unknown: no threshold: 4 validation videos are fewer than the 10 it takes"
