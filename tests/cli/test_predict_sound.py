"""vidcls predict with a model that hears says which videos have no sound."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vidcls.datasets import MovingShapes
from vidcls.video import write_video

SMALL = ("--data.transform.resize_px", "24", "--data.transform.crop_px", "24", "--data.num_workers", "0")
CPU = ("--trainer.accelerator", "cpu", "--trainer.max_epochs", "1", "--data.batch_size", "8")


@pytest.mark.filterwarnings("ignore")
def test_videos_without_sound_are_named(vidcls: Callable[..., Any], tmp_path: Path) -> None:
    tones = MovingShapes(tmp_path / "tones", num_train=16, num_val=16, num_test=16, size_px=32, sound=True)
    tones.prepare()
    heard, silent = tmp_path / "heard.mp4", tmp_path / "silent.mp4"
    shutil.copy(tones.root / tones.records[0].name, heard)
    write_video(silent, np.zeros((16, 3, 24, 24), np.uint8))
    folder = ("--data", "video_folder", "--data.dataset.root", str(tones.root))
    assert vidcls("fit", "--config", "audio_visual", *folder, *SMALL, *CPU, "--run", "av").status == 0
    both = vidcls("predict", "av", str(heard), str(silent))
    assert both.status == 0
    assert f"1 of 2 videos without sound ({silent}): answered by the other streams alone" in both.err
    assert "without sound" not in vidcls("predict", "av", str(heard)).err
