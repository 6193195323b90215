"""What a header states is known before anything is decoded."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vidcls.errors import DecodeError, NotAVideoError
from vidcls.video import write_video
from vidcls.video.stated_size import stated_size


@pytest.mark.parametrize("name", ["a.mp4", "a.avi", "a.mkv"])
def test_height_width_and_seconds(name: str, tmp_path: Path) -> None:
    write_video(tmp_path / name, torch.zeros(20, 3, 32, 48, dtype=torch.uint8), fps=10)
    found = stated_size(tmp_path / name)
    assert (found.height_px, found.width_px) == (32, 48)
    assert found.seconds == pytest.approx(2.0, abs=0.1)


def test_what_is_no_video_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"#EXTM3U\nb.ts\n")
    with pytest.raises(NotAVideoError, match="playlist"):
        stated_size(tmp_path / "a.mp4")
    (tmp_path / "b.mp4").write_bytes(b"\x00\x00\x00\x18ftypmp42" + bytes(100))
    with pytest.raises(DecodeError):
        stated_size(tmp_path / "b.mp4")
