"""Where a file is written, whole or not at all, and what int8 is calibrated on."""

from __future__ import annotations

from pathlib import Path

import pytest
from export_cases import saved_checkpoint

from vidcls.errors import ExportError
from vidcls.export.export import export

pytest.importorskip("onnxscript", reason="needs the extra export")


def test_int8_takes_its_ranges_from_the_videos_that_are_named_for_it(tmp_path: Path, clip_folder: Path) -> None:
    checkpoint = saved_checkpoint(tmp_path)
    videos = sorted(clip_folder.glob("train/*/*.avi"))[:3]
    checked = sorted(clip_folder.glob("test/*/*.avi"))[:2]
    found = export(
        checkpoint, tmp_path / "model.onnx", precision="int8", videos=checked, calibration=videos, is_forced=True
    )
    assert found.videos == "2 videos"
    assert found.parity.largest_difference > 0
    assert found.parity.accuracy_after is None
    with pytest.raises(ExportError, match="only where its accuracy is known"):
        export(checkpoint, tmp_path / "other.onnx", precision="int8", videos=checked, calibration=videos)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.ckpt", "model.onnx"]
    with pytest.raises(ExportError, match="is both calibrated on and checked"):
        export(
            checkpoint, tmp_path / "other.onnx", precision="int8", videos=checked, calibration=checked, is_forced=True
        )
