"""The packets of a file, listed."""

from __future__ import annotations

import struct
from pathlib import Path
from unittest.mock import MagicMock

import pytest
import torch

from vidcls.errors import DecodeError, MissingExtraError
from vidcls.video import BACKENDS, Backend, open_video, packets, write_video


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


class _Packet:
    """A packet of half a megabyte of which it is known whether it is still there."""

    num_alive = most_alive = 0
    size, duration, is_discard = 500_000, 1, False

    def __init__(self, pts: int) -> None:
        self.pts, self.is_keyframe = pts, pts == 0
        _Packet.num_alive += 1
        _Packet.most_alive = max(_Packet.most_alive, _Packet.num_alive)

    def __bytes__(self) -> bytes:
        return b""

    def has_sidedata(self, _: str) -> bool:
        return False

    def __del__(self) -> None:
        _Packet.num_alive -= 1


def test_no_more_than_a_few_packets_are_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else listing a file of three hours takes as much memory as it is large."""
    write_video(tmp_path / "a.mp4", torch.zeros(3, 3, 16, 16, dtype=torch.uint8))
    container, stream = packets.open_best_stream(tmp_path / "a.mp4")
    with container:
        source = MagicMock(wraps=container, format=container.format)
        source.demux = lambda _: (_Packet(pts) for pts in range(1000))
        monkeypatch.setattr(packets, "open_best_stream", lambda _: (source, stream))
        assert packets.list_packets(tmp_path / "a.mp4").facts.num_frames == 1000
    assert _Packet.most_alive <= 3
