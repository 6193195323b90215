"""ffmpeg serves a clip in real time; it is killed and started again, and the stream goes on."""

from __future__ import annotations

import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from stream_servers import FfmpegServer, RtspServer, free_port

from vidcls.errors import ConfigurationError, DecodeError
from vidcls.live import Backoff, FrameWindow, LiveStream, SlidingWindows
from vidcls.live_place import LivePlace, live_place
from vidcls.remote import allow_remote
from vidcls.remote.permission import permission_ends
from vidcls.video import write_video
from vidcls.video.live_frames import LiveFrames

FPS = 20.0
LEVELS = (40, 80, 120, 160, 200)  # of grey, four frames each: what a frame shows says which it is


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One second that is played again and again, with a key frame every fourth of it."""
    path = tmp_path_factory.mktemp("served") / "clip.mp4"
    grey = torch.tensor(LEVELS, dtype=torch.uint8).repeat_interleave(4)
    frames = grey[:, None, None, None].expand(-1, 3, 48, 64)
    write_video(path, frames, fps=FPS, gop=4, b_frames=0)
    return path


def served(clip: Path, protocol: str, port: int) -> FfmpegServer | RtspServer:
    return RtspServer(clip, port) if protocol == "rtsp" else FfmpegServer(clip, protocol, port)


def impatient(place: LivePlace) -> LiveFrames:
    """A source of datagrams that is gone says nothing, and is given up after a second."""
    return LiveFrames(place, read_seconds=1.0)


def check(window: FrameWindow) -> None:
    """The frames are neighbours of the clip, in order, with their own rate."""
    assert window.fps == pytest.approx(FPS, rel=0.05)
    shown = [min(range(5), key=lambda k: abs(LEVELS[k] - int(frame.rgb.mean()))) for frame in window.frames]
    steps = np.diff(shown) % 5
    assert set(steps.tolist()) <= {0, 1}, shown
    assert len(shown) == pytest.approx(0.5 * FPS, abs=1)


@pytest.mark.parametrize(
    "protocol", ["tcp", pytest.param("udp", marks=pytest.mark.slow), pytest.param("rtsp", marks=pytest.mark.slow)]
)
def test_a_server_that_is_killed_and_started_again_is_read_on(clip: Path, protocol: str) -> None:
    port = free_port(socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM)
    windows, said = SlidingWindows(0.5, 0.25), []
    backoff = Backoff(first_seconds=0.1, most_seconds=0.2, give_up_seconds=60.0)
    with permission_ends(), served(clip, protocol, port) as first:
        allow_remote(protocol)
        place = live_place(first.address)
        with LiveStream(place, windows, say=said.append, backoff=backoff, connect=impatient) as stream:
            before = [window for _ in range(3) if (window := stream.next_window(60.0)) is not None]
            first.kill()
            while not said:  # a datagram more would belong to the same stream
                stream.next_window(0.1)
            with served(clip, protocol, port):
                after = []
                while len(after) < 3:
                    window = stream.next_window(60.0)
                    assert window is not None
                    after += [window] if stream.num_reconnects else []
                assert stream.num_reconnects == 1, said
        for window in [*before, *after]:
            check(window)
    assert len(before) == 3
    assert after[-1].start_seconds > before[-1].start_seconds


def test_an_address_is_read_after_permission_alone_and_one_that_serves_nothing_is_told(clip: Path) -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    with permission_ends():
        with pytest.raises(ConfigurationError, match=r"is an address, .*add --allow-remote tcp"):
            live_place(address)
        allow_remote("tcp")
        backoff = Backoff(first_seconds=0.001, give_up_seconds=0.01)
        with (
            LiveStream(live_place(address), SlidingWindows(1, 1), say=list, backoff=backoff) as stream,
            pytest.raises(DecodeError, match=r"^tcp://127.0.0.1:\d+: Connection refused, not one frame came"),
        ):
            stream.next_window(60.0)
