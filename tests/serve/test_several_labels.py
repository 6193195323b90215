"""Several labels, and videos of no class, over HTTP: what is answered is what ``vidcls predict`` answers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from served import servers

from vidcls.predict.open_model import open_model


def decided(checkpoint: Path, path: Path, *, task: str = "single_label", **decision: object) -> Path:
    """The checkpoint of another task, or with another decision."""
    content = torch.load(checkpoint, weights_only=True)
    content["vidcls"] |= {"task": task, "decision": {**content["vidcls"]["decision"], **decision}}
    torch.save(content, path)
    return path


def test_the_classes_above_their_thresholds_are_answered(checkpoint: Path, clip_folder: Path, tmp_path: Path) -> None:
    clips = sorted(clip_folder.glob("test/*/*.avi"))
    plain = open_model(decided(checkpoint, tmp_path / "plain.ckpt", task="multi_label"))
    low, high = min(plain(clips[0]).scores) / 2, 0.99
    for thresholds, label in (((low, high, low), "left|still"), ((high, high, high), "")):
        model = open_model(
            decided(checkpoint, tmp_path / "model.ckpt", task="multi_label", thresholds=list(thresholds))
        )
        with servers(model, tmp_path) as start:
            served = start()
            for clip in clips[:3]:
                answer, expected = served.post(clip).json(), model(clip)
                assert (answer["label"], expected.label) == (label, label)
                assert list(answer["scores"].values()) == pytest.approx(expected.scores, abs=1e-5)
            windows = served.post(clips[0], route="/timeline").json()["windows"]
            assert {window["label"] for window in windows} == {label}


@pytest.mark.parametrize(("offset", "is_unknown"), [(1e-3, True), (-1e-3, False)])
def test_unknown_is_answered_below_the_threshold_at_the_temperature_of_the_model(
    checkpoint: Path, clip_folder: Path, tmp_path: Path, offset: float, is_unknown: bool
) -> None:
    clip = next(clip_folder.glob("test/*/*.avi"))
    cold = {"temperature": {"model": 0.2}}
    most = max(open_model(decided(checkpoint, tmp_path / "cold.ckpt", **cold))(clip).scores)
    path = decided(checkpoint, tmp_path / "model.ckpt", unknown_below=most + offset, **cold)
    for says_unknown in (True, False):
        model = open_model(path, unknown=says_unknown)
        with servers(model, tmp_path) as start:
            served = start()
            for route in ("/predict", "/timeline"):
                answer = served.post(clip, route=route).json()
                answer = answer if route == "/predict" else answer["windows"][0]
                assert (answer["label"] == "unknown") == (is_unknown and says_unknown)
                assert max(answer["scores"].values()) == pytest.approx(most, abs=1e-4)
