"""Loss settings against their formulas."""

from __future__ import annotations

import math

import pytest

from vidcls.training.losses import LossSettings, weights_by_name


def test_class_weights_go_by_name_and_default_to_one() -> None:
    settings = LossSettings(class_weights={"run": 3.0})
    assert weights_by_name(["jump", "run", "walk"], settings).tolist() == [1.0, 3.0, 1.0]


def test_a_weight_of_an_unknown_class_is_refused_with_the_names() -> None:
    with pytest.raises(ValueError, match="'rum', which is no class: use jump, run"):
        weights_by_name(["jump", "run"], LossSettings(class_weights={"rum": 3.0}))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"label_smoothing": 1.0}, "label_smoothing must lie in 0 to 1"),
        ({"label_smoothing": -0.1}, "label_smoothing must lie in 0 to 1"),
        ({"focal_gamma": -1.0}, "focal_gamma must be finite and at least 0, got -1.0"),
        ({"balanced": True, "class_weights": {"a": 1.0}}, "exclude each other"),
        ({"class_weights": {"a": -1.0}}, "must be finite and at least 0, got -1.0 for 'a'"),
        ({"class_weights": {"a": math.nan}}, "must be finite and at least 0, got nan for 'a'"),
    ],
)
def test_settings_out_of_range_or_against_each_other_are_refused(changes: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        LossSettings(**changes)
