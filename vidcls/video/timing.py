"""The frames of an open video -> when each is shown, which is shown at a time, and the windows of a long video."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, overload

from vidcls.errors import DatasetError
from vidcls.video.sampling import windows
from vidcls.video.video_reader import VideoReader
from vidcls.video_part import VideoPart, number_text

ROUNDED_END_SECONDS = 1.0  # an end that is so little beyond that of the video was rounded to whole seconds
_ROUNDING_SECONDS = 1e-6  # sums of floats; far below the tick of any container's clock


class Window(NamedTuple):
    """A span of time of a video, and the frames ``[first, stop)`` that are shown in it."""

    start_seconds: float
    end_seconds: float
    first: int
    stop: int


@dataclass(frozen=True, slots=True)
class FrameTimes:
    """When the frames of a video are shown, in seconds after the first one.

    Args:
        starts: of each of N frames, never falling; the first is 0.
        end_seconds: when the last frame is gone.
        is_even: whether frame i is shown at ``i * end_seconds / N``, up to half a frame; then ``starts`` are exactly
            that, without the rounding of the container's clock.
    """

    starts: Sequence[float]
    end_seconds: float
    is_even: bool

    def between(self, start_seconds: float, end_seconds: float) -> tuple[int, int]:
        """The frames ``[first, stop)`` that are on the screen between two times, at least one of them.

        The first one is that which is shown when the span begins::

            frame         0           1        2  3  4  5
            seconds       0           2        4  4.5 5 5.5
            between 3 and 4.8         |------------|          frames 1, 2 and 3
        """
        first = max(0, bisect_right(self.starts, start_seconds + _ROUNDING_SECONDS) - 1)
        return first, max(first + 1, bisect_left(self.starts, end_seconds - _ROUNDING_SECONDS))

    def within(self, part: VideoPart) -> tuple[int, int]:
        """The frames ``[first, stop)`` of a part in seconds: those whose time stamps lie in it.

        An end of up to a second beyond that of the video is taken as that, since lists have whole seconds.

        Raises:
            DatasetError: the part is beyond the end of the video, or has no frame.
        """
        is_beyond = part.start >= self.end_seconds - _ROUNDING_SECONDS
        if is_beyond or self.end_seconds + ROUNDED_END_SECONDS < part.end < math.inf:
            raise DatasetError(
                f"the part {part.text} is beyond the end of the video, which lasts {number_text(self.end_seconds)} s: "
                "correct the list"
            )
        first = bisect_left(self.starts, part.start - _ROUNDING_SECONDS)
        stop = bisect_left(self.starts, part.end - _ROUNDING_SECONDS)
        if stop <= first:
            raise DatasetError(f"the part {part.text} has no frame: no time stamp of the video lies in it; lengthen it")
        return first, stop

    def windows(self, window_seconds: float, hop_seconds: float) -> list[Window]:
        """The windows of a video in order of time; the last one is moved back to end with the video.

        Where frames are shown evenly, both lengths are rounded to frames.

        Args:
            window_seconds: length of a window, above 0, raised to that of a frame; a shorter video is one window.
            hop_seconds: from the start of one window to that of the next, above 0 and at most ``window_seconds``.
        """
        num_frames = len(self.starts)
        if self.is_even:
            fps = num_frames / self.end_seconds
            window_len = min(max(1, round(window_seconds * fps)), num_frames)
            hop = min(max(1, round(hop_seconds * fps)), window_len)
            firsts = [min(first, num_frames - window_len) for first, _ in windows(num_frames, window_len, hop)]
            return [Window(i / fps, (i + window_len) / fps, i, i + window_len) for i in firsts]
        frame_seconds = self.end_seconds / num_frames
        window_seconds = min(max(window_seconds, frame_seconds), self.end_seconds)
        hop_seconds = min(max(hop_seconds, frame_seconds), window_seconds)
        found: list[Window] = []
        last_start = self.end_seconds - window_seconds
        while not found or found[-1].start_seconds < last_start - _ROUNDING_SECONDS:
            start = min(len(found) * hop_seconds, last_start)
            found.append(Window(start, start + window_seconds, *self.between(start, start + window_seconds)))
        return found

    def evenly(self, first: int, stop: int) -> tuple[list[int], float]:
        """As many frames as ``[first, stop)`` has, evenly spaced in its time, and how many of them a second has.

        The i-th is the frame that is on the screen in the middle of the i-th of equal shares of that time, so that of a
        video of an even rate they are ``first`` to ``stop - 1``.
        """
        start = self.starts[first]
        end = self.starts[stop] if stop < len(self.starts) else self.end_seconds
        num_frames = stop - first
        if end <= start:  # a single frame, whose duration nobody states
            return list(range(first, stop)), 0.0
        share = (end - start) / num_frames
        shown = [bisect_right(self.starts, start + (i + 0.5) * share) - 1 for i in range(num_frames)]
        return shown, 1 / share


def seconds_of(video: VideoReader, part: VideoPart | None) -> tuple[float, float]:
    """When a part of a video, or all of it, begins and ends, in seconds; zeros where the video states no rate."""
    if not video.fps:
        return 0.0, 0.0
    times = frame_times(video)
    if part is None:
        return 0.0, times.end_seconds
    if part.unit == "seconds":
        return part.start, min(part.end, times.end_seconds)
    first, stop = frames_of_part(part, video.num_frames, lambda: times)
    return times.starts[first], times.starts[stop] if stop < video.num_frames else times.end_seconds


class EvenStarts(Sequence[float]):
    """When the frames of a video of an even rate are shown, computed and not kept.

    >>> [*EvenStarts(3, 2.0)]
    [0.0, 0.5, 1.0]
    """

    def __init__(self, num_frames: int, fps: float) -> None:
        self._num_frames, self._fps = num_frames, fps

    def __len__(self) -> int:
        return self._num_frames

    @overload
    def __getitem__(self, at: int) -> float: ...
    @overload
    def __getitem__(self, at: slice) -> list[float]: ...
    def __getitem__(self, at: int | slice) -> float | list[float]:
        found = range(self._num_frames)[at]
        return found / self._fps if isinstance(found, int) else [i / self._fps for i in found]


def frames_of_part(part: VideoPart, num_frames: int, times: Callable[[], FrameTimes]) -> tuple[int, int]:
    """The frames ``[first, stop)`` of a part of a video.

    Args:
        part: in seconds or in frames.
        num_frames: of the video.
        times: gives the times of its frames, where they are needed.

    Raises:
        DatasetError: the part is beyond the end of the video, or has no frame.
    """
    if part.frames is not None:
        return part.frames
    if part.unit == "seconds":
        return times().within(part)
    stop = num_frames if math.isinf(part.end) else int(part.end)
    if part.start >= num_frames or stop > num_frames:
        raise DatasetError(
            f"the part {part.text} is beyond the end of the video, which has {num_frames} frames: correct the list"
        )
    return int(part.start), stop


def frame_times(video: VideoReader) -> FrameTimes:
    """When the frames of a video are shown; lists the packets of the file, decodes nothing.

    Raises:
        DecodeError: the file states neither the times of its frames nor a frame rate.
    """
    num_frames, fps = video.num_frames, video.fps
    starts = video.frame_seconds
    if fps > 0 and all(abs(seconds * fps - i) < 0.5 for i, seconds in enumerate(starts)):
        return FrameTimes([i / fps for i in range(num_frames)], num_frames / fps, is_even=True)
    last_seconds = starts[-1] - starts[-2] if num_frames > 1 else 0.0  # the last frame: as long as the one before it
    return FrameTimes(starts, starts[-1] + last_seconds, is_even=False)
