"""A source that ends, breaks off, hangs or begins again -> what the stream makes of it, without waiting for long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import numpy as np
import pytest
from numpy.typing import NDArray

from vidcls.errors import DecodeError
from vidcls.live import Backoff, LiveStream, SlidingWindows
from vidcls.live.clock import StreamClock
from vidcls.live_place import LivePlace

CAMERA = LivePlace("address", "rtsp://u:pw@camera/1", "rtsp://camera/1")
FILE = LivePlace("file", "a.mp4", "a.mp4")
QUICK = Backoff(first_seconds=0.001, most_seconds=0.002, give_up_seconds=0.05)
Frames = Iterator[tuple[float | None, NDArray[np.uint8]]]


class Fake:
    """Stands for a connection: some frames, and then what happens."""

    fps = 10.0

    def __init__(self, num_frames: int, ending: Callable[[], object], *, first: float = 0.0) -> None:
        self.num_frames, self.ending, self.first, self.num_damaged = num_frames, ending, first, 1

    def __iter__(self) -> Frames:
        for k in range(self.num_frames):
            yield self.first + k / 10, np.full((4, 4, 3), k, dtype=np.uint8)
        self.ending()


def breaks() -> None:
    raise DecodeError("Connection reset by peer")


def in_turn(*connections: Fake | Exception) -> Callable[[LivePlace], AbstractContextManager[Fake]]:
    """Each connection once; after the last one, nothing can be had."""
    waiting = [*connections]

    @contextmanager
    def connect(place: LivePlace) -> Iterator[Fake]:
        found = waiting.pop(0) if waiting else DecodeError("Connection refused")
        if isinstance(found, Exception):
            raise found
        yield found

    return connect


def ended(stream: LiveStream) -> list[tuple[float, int]]:
    """Start and length of each window, until the stream is over."""
    found = []
    while (window := stream.next_window(5.0)) is not None:
        found.append((round(window.start_seconds, 2), len(window.frames)))
    return found


def test_a_lost_stream_is_connected_again_and_given_up_in_the_end() -> None:
    said: list[str] = []
    windows = SlidingWindows(0.5, 0.5)
    connect = in_turn(Fake(6, breaks), DecodeError("Connection refused"), Fake(6, lambda: None, first=900.0))
    with LiveStream(CAMERA, windows, say=said.append, backoff=QUICK, connect=connect) as stream:
        with pytest.raises(DecodeError, match=r"^rtsp://camera/1: Connection refused; tried again for 0.05 s; check"):
            ended(stream)
        assert (stream.num_reconnects, stream.num_damaged, windows.num_frames) == (1, 2, 12)
    assert said[0] == "rtsp://camera/1: Connection reset by peer; connecting again in 0.001 s"
    assert any("connected again after" in line and "(try 2)" in line for line in said)
    assert any("rtsp://camera/1: ended; connecting again" in line for line in said)
    assert not any("pw" in line for line in said)


def test_what_never_came_says_so() -> None:
    with (
        LiveStream(CAMERA, SlidingWindows(1, 1), say=list, backoff=QUICK, connect=in_turn()) as stream,
        pytest.raises(DecodeError, match=r"Connection refused, not one frame came; tried again for 0\.05 s"),
    ):
        ended(stream)


def test_a_file_ends_with_what_is_left_of_it_and_is_read_once() -> None:
    windows = SlidingWindows(0.2, 0.2)
    with LiveStream(FILE, windows, say=pytest.fail, connect=in_turn(Fake(5, lambda: None, first=3.0))) as stream:
        found = ended(stream)
    assert found[-1] == (0.3, 2)
    assert sum(length for _, length in found) <= 6
    assert stream.is_over
    with (
        LiveStream(FILE, SlidingWindows(9, 9), say=list, connect=in_turn(Fake(2, breaks))) as stream,
        pytest.raises(DecodeError, match=r"^a\.mp4: cannot be played \(Connection reset by peer\)"),
    ):
        ended(stream)


def test_a_source_that_hangs_is_ended_and_an_unforeseen_error_is_not_lost() -> None:
    connect = in_turn(Fake(1, lambda: time.sleep(0.3)))
    with (
        LiveStream(CAMERA, SlidingWindows(9, 9), say=list, stall_seconds=0.05, connect=connect) as stream,
        pytest.raises(DecodeError, match=r"^rtsp://camera/1: hangs: neither a frame nor an error for 0.05 s"),
    ):
        stream.next_window(30.0)
    with (
        LiveStream(CAMERA, SlidingWindows(9, 9), say=list, connect=in_turn(KeyError("bug"))) as stream,
        pytest.raises(KeyError, match="bug"),
    ):
        ended(stream)


def test_the_times_of_a_stream_never_fall_and_a_jump_of_its_clock_is_one() -> None:
    clock = StreamClock(is_file=False)
    clock.started = 50.0
    clock.connect()
    assert clock.seconds(1000.0, 51.0) == (1.0, False)
    assert clock.seconds(1000.5, 51.2) == (1.5, False)  # it came early
    assert clock.seconds(1000.4, 51.3) == (1.5, False)
    assert clock.seconds(3.0, 52.0) == (2.0, True)  # it began again
    assert clock.seconds(None, 52.5) == (2.5, False)
    clock.connect()
    assert clock.seconds(7.0, 60.0) == (10.0, False)
    played = StreamClock(is_file=True)
    played.connect()
    assert [played.seconds(s, 80.0)[0] for s in (5.0, 5.5, 25.0)] == [0.0, 0.5, 20.0]
    assert played.due(0.5) == 80.5
