"""Where two configurations differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidcls.compare.settings import first_difference, has_epochs

ONE = {"model": {"dropout": 0.5}, "data": {"batch_size": 8, "root": Path("clips"), "sizes": (1, 2)}}


def test_what_yaml_gives_back_is_the_same() -> None:
    other = {"model": {"dropout": 0.5}, "data": {"batch_size": 8, "root": "clips", "sizes": [1, 2], "__path__": "x"}}
    assert first_difference(ONE, other) is None


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ({**ONE, "model": {"dropout": 0.2}}, "model.dropout (0.5, 0.2)"),
        ({**ONE, "model": {}}, "model.dropout (0.5, None)"),
        ({**ONE, "seed": 3}, "seed (None, 3)"),
    ],
)
def test_the_first_difference_is_named_with_both_values(other: dict[str, object], expected: str) -> None:
    assert first_difference(ONE, other) == expected


def test_a_free_key_may_differ_with_all_below_it() -> None:
    assert first_difference(ONE, {**ONE, "model": {"dropout": 0.1}}, free=["model"]) is None
    assert first_difference(ONE, {**ONE, "model": {"dropout": 0.1}}, free=["model.dropout"]) is None


@pytest.mark.parametrize(
    ("class_path", "arguments", "expected"),
    [
        ("vidcls.models.LateFusion", {}, True),
        ("vidcls.models.Probe", {"train_on": "features"}, False),
        ("vidcls.models.TwoStreamProbe", {}, False),
        ("vidcls.models.probe.Probe", {"train_on": "clips"}, True),
    ],
)
def test_heads_that_are_fitted_to_features_have_no_epochs(
    class_path: str, arguments: dict[str, object], expected: bool
) -> None:
    assert has_epochs({"model": {"class_path": class_path, "init_args": arguments}}) is expected
