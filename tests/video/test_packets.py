"""The packets of a file, listed."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
import torch

from vidcls.errors import DecodeError, MissingExtraError
from vidcls.video import BACKENDS, Backend, open_video, write_video


@pytest.mark.parametrize("backend", [None, *BACKENDS])
def test_a_codec_that_nobody_knows_is_a_decode_error(backend: Backend | None, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_video(path, torch.full((3, 3, 32, 32), 90, dtype=torch.uint8))
    content = path.read_bytes()
    assert content.count(b"avc1") >= 1
    path.write_bytes(content.replace(b"avc1", b"zzzz"))
    with pytest.raises((DecodeError, MissingExtraError), match="codec"):
        open_video(path, backend)


def test_a_title_that_is_no_utf_8_is_no_hindrance(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_video(path, torch.full((3, 3, 32, 32), 90, dtype=torch.uint8))
    content = path.read_bytes()
    assert content.count(b"VideoHandler") == 1
    path.write_bytes(content.replace(b"VideoHandler", b"Vid\xe9oHandler"))
    for backend in ("decord", "pyav"):
        with open_video(path, backend) as video:
            assert video.num_frames == len(video.frames([0, 1, 2])) == 3


def test_a_header_that_states_billions_of_frames_takes_no_memory_for_them(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    write_video(path, torch.full((3, 3, 32, 32), 90, dtype=torch.uint8), codec="mjpeg")
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, content.find(b"strh") + 8 + 32, 0x7FFF_FFFF)
    path.write_bytes(content)
    with pytest.raises(DecodeError, match="states 2147483647 frames where the file has 3"):
        open_video(path, "decord")
    with open_video(path, "pyav") as video:
        assert len(video.frames([0, 1, 2])) == 3
