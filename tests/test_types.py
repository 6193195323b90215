"""The nouns that cross package borders."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from vidcls.predict.prediction import Prediction
from vidcls.types import ClipSettings, VideoRecord
from vidcls.video import LocalFile


@pytest.mark.parametrize("name", ["num_snippets", "clip_len", "stride", "flow_len"])
def test_clip_settings_below_one_are_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        ClipSettings(**{name: 0})


def test_a_prediction_ranks_its_classes() -> None:
    prediction = Prediction(Path("a.mp4"), ("run", "sit", "walk"), (0.2, 0.1, 0.7), 0.0, 2.0, ("walk",))
    assert prediction.label == "walk"
    assert prediction.top(2) == [("walk", 0.7), ("run", 0.2)]
    assert len(prediction.top(9)) == 3


def test_a_record_of_a_path_in_place_of_a_source_is_refused_at_once() -> None:
    for path in ("a.mp4", Path("a.mp4"), b"bytes"):
        with pytest.raises(TypeError, match=r"expected a VideoSource, such as vidcls\.video\.LocalFile"):
            VideoRecord(path, "run", "train", "a.mp4")  # type: ignore[arg-type]


def test_a_record_is_a_fact() -> None:
    record = VideoRecord(LocalFile(Path("a.mp4")), "run", "train", "a.mp4")
    assert (record.group, dict(record.extra)) == (None, {})
    with pytest.raises(FrozenInstanceError):
        record.label = "walk"  # type: ignore[misc]
