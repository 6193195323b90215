"""What decord does in videos of many packets, whose frames take a while to decode."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vidcls.errors import DecodeError
from vidcls.video import open_video, write_video


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 frames behind one key frame; frame t has the brightness 10 + 2 t."""
    path = tmp_path_factory.mktemp("long") / "video.mp4"
    frames = (10 + 2 * torch.arange(120, dtype=torch.uint8)).view(-1, 1, 1, 1).expand(-1, 3, 32, 32)
    write_video(path, frames, gop=1000, quality=1, b_frames=0)
    return path


@pytest.fixture
def decord_class(path: Path) -> type:
    """Decord's class, imported as our reader does it: alone it spreads its codecs, and torchcodec crashes."""
    with open_video(path, "decord"):
        import decord
    return decord.VideoReader


def test_where_decord_gives_up_a_skip_the_frame_is_still_the_one_that_was_asked_for(
    path: Path, decord_class: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    seek, calls = decord_class.seek_accurate, []

    def gives_up(self: object, pos: int) -> None:  # as after ten thousand looks into an empty queue
        calls.append(pos)
        seek(self, pos - 3 if pos > 3 and len(calls) % 3 else pos)

    monkeypatch.setattr(decord_class, "seek_accurate", gives_up)
    wanted = [100, 10, 11, 60, 119, 0, 77]
    with open_video(path, "decord") as video:
        found = [video.frames([index]).float().mean().item() for index in wanted]
    assert found == pytest.approx([10 + 2 * index for index in wanted], abs=1)


def test_a_decoder_that_never_comes_to_a_frame_is_an_error(
    path: Path, decord_class: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    seek = decord_class.seek_accurate
    monkeypatch.setattr(decord_class, "seek_accurate", lambda self, pos: seek(self, min(pos, 40)))
    with open_video(path, "decord") as video, pytest.raises(DecodeError, match="no way to frame 100 behind frame 40"):
        video.frames([100])
