"""On real clips an exported model answers as its test did, with flow of each method of OpenCV."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest
from reference_models import largest_difference, reference

from vidcls.datasets.video_csv import VideoCsv
from vidcls.flow import FlowSettings
from vidcls.flow.settings import FlowMethod
from vidcls.loading import VideoDataModule
from vidcls.transforms import TransformSettings

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")
from onnx_files import write_onnx

from vidcls.runtime import Predictor

FOLDER = Path(os.environ.get("VIDCLS_REAL_DATA", "gone"))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="VIDCLS_REAL_DATA names no folder of real clips"),
]
ODD = ("vfr.mp4", "video_90.mov", "odd_size_yuv444.mp4", "one_frame.mp4", "av1_video.mkv", "h264_10bits.mp4")


@pytest.mark.parametrize("method", ["dis", "farneback"])
def test_real_clips_have_the_scores_of_the_test(tmp_path: Path, method: FlowMethod) -> None:
    clips = sorted((FOLDER / "fall_overhead").rglob("*.mp4"))[::30]
    odd = [path for name in ODD if (path := FOLDER / "oddities" / name).is_file()]
    with (tmp_path / "clips.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "split"])
        for number, path in enumerate([*clips, *odd]):
            split = "train" if number < 3 else "val" if number == 3 else "test"
            rows.writerow([path, "abc"[number % 3], split])
    data = VideoDataModule(
        VideoCsv(tmp_path / "clips.csv"),
        streams=("rgb", "flow"),
        clip_len=2,
        stride_seconds=0.2,
        flow_len=3,
        flow_settings=FlowSettings(method, short_side_px=96),
        transform=TransformSettings(resize_px=72, crop_px=64, test_crops=3),
        test_clips=2,
        num_workers=0,
    )
    found = reference(data, tmp_path / "best.ckpt")
    predictor = Predictor(write_onnx(found.checkpoint, tmp_path / "model.onnx"), num_threads=1)
    assert len(found.videos) >= 4
    for number, video in enumerate(found.videos):
        by_row = predictor.scores_by_row(video)
        assert largest_difference(by_row, found.scores, number) < 1e-4, video
