"""What a probe tries, and what it refuses."""

from __future__ import annotations

import pytest

from vidcls.probe import ProbeSettings


def test_many_components_are_tried_only_where_there_are_views_for_them() -> None:
    settings = ProbeSettings(kinds=["logistic"], pca=[128, 512], scales=["none"], strengths=[0.01])
    shapes = {"l": (6, 3, 4)}
    assert {each.pca for each in settings.candidates(shapes, num_views=1023)} == {128}
    assert {each.pca for each in settings.candidates(shapes, num_views=1024)} == {128, 512}
    assert {each.pca for each in settings.candidates(shapes, num_views=4)} == {128}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kinds": ["tree"]}, "probe.kinds has 'tree': expected one of logistic"),
        ({"kinds": []}, "probe.kinds is empty"),
        ({"descriptors": ["median"]}, "'median' of pooling time"),
        ({"strengths": [0.0]}, "each must be above 0"),
        ({"num_folds": 1}, "probe.num_folds is 1: it must be an integer of at least 2"),
    ],
)
def test_settings_with_which_nothing_can_be_chosen_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ProbeSettings(**wrong)
