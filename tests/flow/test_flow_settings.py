from __future__ import annotations

import json

import pytest

from vidcls.flow import FlowSettings


def test_settings_survive_json() -> None:
    settings = FlowSettings("raft", bound_px=15, short_side_px=128, weights="raft_large")
    assert FlowSettings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


def test_a_bound_of_20_and_of_20_point_0_are_one_setting() -> None:
    assert json.dumps(FlowSettings(bound_px=20).to_dict()) == json.dumps(FlowSettings(bound_px=20.0).to_dict())


@pytest.mark.parametrize(
    ("plain", "words"),
    [
        ({"method": "brox"}, "brox.*choose one of dis, farneback"),
        ({"bound": 20}, "no bound: allowed are bound_px"),
        ({"bound_px": "20"}, "must be a number"),
        ({"bound_px": 0.0}, "positive"),
        ({"short_side_px": 3}, "at least 8"),
        ({"short_side_px": True}, "whole number"),
        ({"weights": "raft_large"}, "no effect on method 'dis'"),
    ],
)
def test_wrong_settings_are_refused_in_words(plain: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        FlowSettings.from_dict(plain)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((240, 320), (128, 171)), ((320, 240), (171, 128)), ((100, 60), (100, 60)), ((128, 128), (128, 128))],
)
def test_frames_shrink_to_the_short_side_and_never_grow(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert FlowSettings(short_side_px=128).stored_size(*size) == expected


def test_without_a_short_side_the_size_stays() -> None:
    assert FlowSettings().stored_size(1081, 33) == (1081, 33)
