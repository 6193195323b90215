"""When frames are shown, and the windows of a video: by hand, for even and for variable rates."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from vidcls.video import MemoryReader
from vidcls.video.timing import frame_times

SLOW_THEN_FAST = [0.0, 1.0, 2.0, 3.0, 3.25, 3.5, 3.75]  # 4 s: four frames in 3 s, then four in the last


class Shown(MemoryReader):
    """Frames that are shown at given times."""

    def __init__(self, seconds: Sequence[float], *, fps: float) -> None:
        super().__init__(torch.zeros(len(seconds), 3, 4, 4, dtype=torch.uint8), fps=fps)
        self.seconds = list(seconds)

    @property
    def frame_seconds(self) -> list[float]:
        return self.seconds


def test_a_clock_of_milliseconds_is_rounded_to_the_frame_rate() -> None:
    times = frame_times(Shown([0.0, 0.033, 0.067, 0.1, 0.133], fps=30.0))
    assert times.is_even
    assert list(times.starts) == [i / 30 for i in range(5)]
    assert times.end_seconds == 5 / 30


def test_the_last_frame_of_a_variable_rate_lasts_as_long_as_the_one_before_it() -> None:
    times = frame_times(Shown(SLOW_THEN_FAST, fps=7 / 4))
    assert not times.is_even
    assert list(times.starts) == SLOW_THEN_FAST
    assert times.end_seconds == 4.0


def test_a_pause_of_the_camera_is_no_even_rate() -> None:
    seconds = [i / 10 for i in range(50)] + [60 + i / 10 for i in range(950)]
    assert not frame_times(Shown(seconds, fps=10.0)).is_even


def test_a_span_of_time_begins_with_the_frame_that_is_on_the_screen_then() -> None:
    times = frame_times(Shown(SLOW_THEN_FAST, fps=7 / 4))
    assert times.between(0, 1) == (0, 1)
    assert times.between(0.5, 1.5) == (0, 2)
    assert times.between(2.5, 3.3) == (2, 5)
    assert times.between(1.2, 1.3) == (1, 2)


@pytest.mark.parametrize("fps", [25.0, 30000 / 1001, 12.5])
@pytest.mark.parametrize(("window", "hop"), [(2.0, 2.0), (1.0, 0.3), (100.0, 1.0), (0.001, 0.001)])
def test_windows_of_an_even_rate_are_whole_frames(fps: float, window: float, hop: float) -> None:
    found = frame_times(Shown([i / fps for i in range(101)], fps=fps)).windows(window, hop)
    window_len = min(max(1, round(window * fps)), 101)
    assert {one.stop - one.first for one in found} == {window_len}
    assert [one.first for one in found[:-1]] == [k * max(1, round(hop * fps)) for k in range(len(found) - 1)]
    assert found[-1].stop == 101
    assert all((one.start_seconds, one.end_seconds) == (one.first / fps, one.stop / fps) for one in found)


def test_windows_of_a_variable_rate_are_equal_spans_of_time() -> None:
    found = frame_times(Shown(SLOW_THEN_FAST, fps=7 / 4)).windows(1.5, 1.0)
    assert [tuple(one) for one in found] == [(0.0, 1.5, 0, 2), (1.0, 2.5, 1, 3), (2.0, 3.5, 2, 5), (2.5, 4.0, 2, 7)]
    whole = frame_times(Shown(SLOW_THEN_FAST, fps=7 / 4)).windows(60.0, 60.0)
    assert [tuple(one) for one in whole] == [(0.0, 4.0, 0, 7)]


def test_frames_evenly_spaced_in_time_are_those_on_the_screen_then() -> None:
    shown, fps = frame_times(Shown(SLOW_THEN_FAST, fps=7 / 4)).evenly(0, 7)
    assert fps == 7 / 4
    assert shown == [0, 0, 1, 2, 2, 3, 5]  # on the screen at 2/7, 6/7, 10/7, 2, 18/7, 22/7 and 26/7 s
    assert frame_times(Shown([i / 25 for i in range(9)], fps=25.0)).evenly(2, 8)[0] == list(range(2, 8))


def test_one_frame_without_a_rate_is_one_window() -> None:
    times = frame_times(Shown([0.0], fps=0.0))
    assert [tuple(one) for one in times.windows(2.0, 2.0)] == [(0.0, 0.0, 0, 1)]
    assert times.evenly(0, 1) == ([0], 0.0)
