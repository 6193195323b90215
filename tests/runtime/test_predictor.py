"""Without torch a model answers as its test did, on every kind of video."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from reference_models import Reference, largest_difference, odd_videos, reference

from vidcls.clips.settings import FlowOn
from vidcls.datasets.video_csv import VideoCsv
from vidcls.flow import FlowSettings
from vidcls.loading import VideoDataModule
from vidcls.predict import Predictor as TorchPredictor
from vidcls.transforms import TransformSettings
from vidcls.types import ScoreRule

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")
from onnx_files import write_onnx

from vidcls.runtime import Predictor

TOLERANCE = 1e-4
KINDS = {
    "rgb": {"streams": ("rgb",)},
    "rgb, ten crops": {"streams": ("rgb",), "test_crops": 10, "score": "logits"},
    "rgb, stretched": {"streams": ("rgb",), "stretch": True, "stride_seconds": 0.15},
    "dis": {"streams": ("rgb", "flow"), "test_crops": 3, "flow": FlowSettings(bound_px=10, short_side_px=36)},
    "farneback": {"streams": ("rgb", "flow"), "test_crops": 10, "flow": FlowSettings("farneback", decoder="pyav")},
    "flow of crops": {"streams": ("rgb", "flow"), "test_crops": 2, "flow_on": "device", "flow": FlowSettings()},
}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> VideoCsv:
    return odd_videos(tmp_path_factory.mktemp("videos"))


def data_of(
    videos: VideoCsv,
    *,
    streams: tuple[str, ...],
    test_crops: int = 1,
    flow: FlowSettings | None = None,
    flow_on: FlowOn = "worker",
    score: ScoreRule | None = None,
    stretch: bool = False,
    stride_seconds: float | None = None,
) -> VideoDataModule:
    transform = TransformSettings(resize_px=36, crop_px=(32, 34), test_crops=test_crops, stretch=stretch)  # type: ignore[arg-type]
    return VideoDataModule(
        videos,
        streams=streams,  # type: ignore[arg-type]
        clip_len=2,
        stride=2 if stride_seconds is None else 1,
        stride_seconds=stride_seconds,
        flow_len=4,
        transform=transform,
        test_clips=2,
        test_batch_size=3,
        num_workers=0,
        flow_settings=flow,
        flow_on=flow_on,
        score=score,
    )


@pytest.fixture(scope="module", params=KINDS)
def model(
    request: pytest.FixtureRequest, videos: VideoCsv, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Reference, Path]:
    """A tested checkpoint, and the same as an exported file."""
    folder = tmp_path_factory.mktemp("model")
    found = reference(data_of(videos, **KINDS[request.param]), folder / "best.ckpt")  # type: ignore[arg-type]
    return found, write_onnx(found.checkpoint, folder / "model.onnx")


def test_the_scores_of_every_row_are_those_of_the_test_on_every_video(model: tuple[Reference, Path]) -> None:
    found, path = model
    predictor = Predictor(path, num_threads=1, batch_views=7)
    scores = torch.stack(list(found.scores["model"]))
    assert scores.std(dim=0).max() > 0.1  # a constant would agree with anything
    for number, video in enumerate(found.videos):
        by_row = predictor.scores_by_row(video)
        assert largest_difference(by_row, found.scores, number) < TOLERANCE, video
        prediction = predictor(video)
        assert prediction.scores == pytest.approx(by_row["model"], abs=1e-6)
        assert prediction.label == found.data.class_names[int(scores[number].argmax())], video


def test_windows_are_those_of_the_checkpoint(model: tuple[Reference, Path]) -> None:
    found, path = model
    video = next(video for video in found.videos if video.name == "variable.mkv")
    expected = TorchPredictor(found.checkpoint, device="cpu").timeline(video, 0.6, 0.4)
    windows = Predictor(path).timeline(video, 0.6, 0.4)
    assert len(windows) == len(expected) > 2
    for window, other in zip(windows, expected, strict=True):
        assert (window.start_seconds, window.end_seconds, window.label) == (
            other.start_seconds,
            other.end_seconds,
            other.label,
        )
        assert window.scores == pytest.approx(other.scores, abs=TOLERANCE)
