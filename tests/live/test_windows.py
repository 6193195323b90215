"""Windows over the newest frames: which are complete, what is skipped, dropped and kept."""

from __future__ import annotations

import numpy as np
import pytest

from vidcls.errors import ConfigurationError
from vidcls.live import FrameWindow, SlidingWindows

FPS = 10.0


def picture(value: int = 0, *, size: int = 4) -> np.ndarray:
    return np.full((size, size, 3), value % 256, dtype=np.uint8)


def filled(windows: SlidingWindows, num_frames: int, *, first: int = 0) -> list[FrameWindow]:
    """Frames at 10 per second; what is complete after each."""
    found = []
    for k in range(first, first + num_frames):
        windows.add(k / FPS, 100 + k / FPS, picture(k))
        window = windows.newest()
        if window is not None:
            found.append(window)
    return found


def values(window: FrameWindow) -> list[int]:
    return [int(frame.rgb[0, 0, 0]) for frame in window.frames]


def test_each_window_has_the_frames_of_its_time_and_comes_when_the_frame_behind_it_has() -> None:
    windows = SlidingWindows(1.0, 0.5)
    windows.fps = FPS
    found = filled(windows, 21)
    assert [(w.start_seconds, w.end_seconds) for w in found] == [(0.0, 1.0), (0.5, 1.5), (1.0, 2.0)]
    assert [values(w) for w in found] == [[*range(10)], [*range(5, 15)], [*range(10, 20)]]
    assert [w.arrived for w in found] == [100.9, 101.4, 101.9]
    assert {w.fps for w in found} == {FPS}
    assert (windows.num_dropped, windows.num_skipped) == (0, 0)
    shared = {id(frame) for frame in found[0].frames} & {id(frame) for frame in found[1].frames}
    assert len(shared) == 5  # the same frames, not copies


def test_only_the_newest_window_is_handed_out_and_the_others_are_counted() -> None:
    windows = SlidingWindows(1.0, 0.5)
    for k in range(46):
        windows.add(k / FPS, k / FPS, picture(k))
    newest = windows.newest()
    assert newest is not None
    assert (newest.start_seconds, newest.num_skipped, windows.num_skipped) == (3.5, 7, 7)
    assert values(newest) == [*range(35, 45)]
    assert newest.fps == pytest.approx(FPS)
    assert windows.num_dropped == 35  # all before it
    assert windows.newest() is None


def test_memory_is_bounded_by_the_window_whatever_the_length_of_the_stream() -> None:
    windows = SlidingWindows(1.0, 0.5, most_bytes=16 * picture().nbytes)
    filled(windows, 1000)
    with pytest.raises(ConfigurationError, match=r"window_seconds is 1: the frames of 4x4 px .*pass a shorter window"):
        filled(SlidingWindows(1.0, 0.5, most_bytes=8 * picture().nbytes), 20)


@pytest.mark.parametrize(
    ("num_frames", "spans"),
    [(20, [(0, 1), (1, 2)]), (23, [(0, 1), (1, 2), (1.3, 2.3)]), (4, [(0, 0.4)]), (0, [])],
)
def test_at_the_end_the_last_window_is_moved_back_to_end_with_the_stream(
    num_frames: int, spans: list[tuple[float, float]]
) -> None:
    windows = SlidingWindows(1.0, 1.0)
    windows.fps = FPS
    found = filled(windows, num_frames)
    last = windows.last()
    found += [] if last is None else [last]
    assert [(w.start_seconds, w.end_seconds) for w in found] == [pytest.approx(span) for span in spans]
    assert windows.last() is None
    assert windows.num_dropped == 0


def test_no_window_spans_a_gap_or_two_sizes() -> None:
    windows = SlidingWindows(1.0, 1.0)
    filled(windows, 5)
    windows.restart()
    found = filled(windows, 15, first=30)
    assert [(w.start_seconds, values(w)[0]) for w in found] == [(3.0, 30)]
    for k in range(45, 60):
        windows.add(k / FPS, 0.0, picture(k, size=6))
    newest = windows.newest()
    assert newest is not None
    assert newest.start_seconds == 4.5
    assert {frame.rgb.shape for frame in newest.frames} == {(6, 6, 3)}


def test_a_pause_gives_no_empty_window_and_the_rate_is_that_of_the_frames() -> None:
    windows = SlidingWindows(1.0, 1.0)
    windows.fps = FPS
    for seconds in (0.0, 0.25, 0.5, 0.75, 4.0, 4.25, 4.5, 4.75):
        windows.add(seconds, seconds, picture())
    assert windows.newest() is None  # from 3 to 4 there was nothing
    windows.add(5.0, 5.0, picture())
    newest = windows.newest()
    assert newest is not None
    assert (newest.start_seconds, newest.fps, len(newest.frames)) == (4.0, pytest.approx(4.0), 4)
    with pytest.raises(ValueError, match="both must be above 0 and the hop not longer"):
        SlidingWindows(1.0, 2.0)
