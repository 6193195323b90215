"""The frames of an open video -> when each is shown, which is shown at a time, and the windows of a long video."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from vidcls.video.sampling import windows
from vidcls.video.video_reader import VideoReader

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
