"""Frames of a source in real time: those of the file, and what cannot be had."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from vidcls.errors import DecodeError, NotAVideoError
from vidcls.live_place import LivePlace
from vidcls.video import open_video, write_video
from vidcls.video.live_frames import LiveFrames


def place(path: Path) -> LivePlace:
    return LivePlace("file", str(path), str(path))


def test_the_frames_are_those_that_every_decoder_gives(tmp_path: Path) -> None:
    frames = torch.randint(0, 255, (9, 3, 32, 48), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    write_video(tmp_path / "a.mp4", frames, fps=12.5)
    with LiveFrames(place(tmp_path / "a.mp4")) as live:
        assert live.fps == 12.5
        found = [*live]
    assert [seconds for seconds, _ in found] == pytest.approx([k / 12.5 for k in range(9)])
    with open_video(tmp_path / "a.mp4", "pyav") as video:
        expected = video.frames(range(9)).permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(np.stack([rgb for _, rgb in found]), expected)


def test_a_playlist_is_read_by_no_door(tmp_path: Path) -> None:
    (tmp_path / "a.m3u8").write_text("#EXTM3U\n/etc/passwd\n")
    with pytest.raises(NotAVideoError, match="playlist"):
        LiveFrames(place(tmp_path / "a.m3u8"))


def test_a_camera_that_is_not_there_says_so() -> None:
    if sys.platform != "linux" or Path("/dev/video99").exists():
        pytest.skip("this machine names cameras otherwise, or has a hundred")
    with pytest.raises(DecodeError, match="No such file"):
        LiveFrames(LivePlace("camera", "99", "camera 99"))
