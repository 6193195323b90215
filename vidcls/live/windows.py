"""Frames as they come -> windows of time over the newest ones; each frame is kept once, however many windows it is in.

With windows of 4 s, 2 s apart, of a stream that is scored too slowly::

    seconds   0     2     4     6     8     10
    windows   |-----------|                          scored as soon as the frame at 4 s is there
                    |-----------|                    skipped: when the first one is scored, 8 s have passed
                          |-----------|              scored next
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import floor

import numpy as np
from numpy.typing import NDArray

from vidcls.errors import ConfigurationError

MOST_BYTES = 2 * 2**30
_ROUNDING_SECONDS = 1e-6
_LIKE_STATED = 0.02  # how far a measured rate may lie from the stated one to be taken for it


@dataclass(frozen=True, slots=True, eq=False)
class LiveFrame:
    """One frame.

    Args:
        index: of the frame among all that came.
        seconds: when it is shown, after the start of the stream.
        arrived: when it came, by the clock of this machine.
        rgb: ``(H, W, 3)`` uint8.
    """

    index: int
    seconds: float
    arrived: float
    rgb: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class FrameWindow:
    """The frames of one window of time, in order, at least one; all of one size.

    Args:
        start_seconds: where it begins, after the start of the stream.
        end_seconds: where it ends.
        frames: those that are shown in it.
        fps: frames per second.
        num_skipped: windows between the one before and this one that nobody scored.
    """

    start_seconds: float
    end_seconds: float
    frames: tuple[LiveFrame, ...]
    fps: float
    num_skipped: int

    @property
    def arrived(self) -> float:
        """When its last frame came."""
        return self.frames[-1].arrived

    def rgb(self) -> NDArray[np.uint8]:
        """Its frames, ``(T, H, W, 3)`` uint8."""
        return np.stack([frame.rgb for frame in self.frames])


class SlidingWindows:
    """Takes frames one by one, and hands out the newest window that is complete.

    Not more than ``window_seconds + hop_seconds`` of frames are kept.

    Args:
        window_seconds: length of a window.
        hop_seconds: from the start of one window to that of the next, at most ``window_seconds``.
        most_bytes: of frames that are kept.
    """

    def __init__(self, window_seconds: float, hop_seconds: float, *, most_bytes: int = MOST_BYTES) -> None:
        if not 0 < hop_seconds <= window_seconds < float("inf"):
            raise ValueError(
                f"window_seconds is {window_seconds:g} and hop_seconds {hop_seconds:g}; both must be above 0 and the "
                "hop not longer than the window, or frames are left out"
            )
        self.window_seconds, self.hop_seconds = window_seconds, hop_seconds
        self.fps = 0.0
        """Frames per second as the source states it, 0 where it does not."""
        self.num_frames = 0
        """Frames that came."""
        self.num_dropped = 0
        """Frames that were let go without having been in a window that was handed out."""
        self.num_skipped = 0
        """Windows that nobody scored, since a newer one was complete."""
        self._most_bytes = most_bytes
        self._kept: deque[LiveFrame] = deque()
        self._origin = 0.0  # where window 0 starts
        self._next = 0  # number of the window that comes next
        self._seen = -1  # index of the last frame that was handed out
        self._newest: LiveFrame | None = None

    @property
    def newest_frame(self) -> LiveFrame | None:
        """The frame that came last."""
        return self._newest

    def restart(self) -> None:
        """Begin again with the next frame, as after a gap: no window is to span it."""
        while self._kept:
            self._drop()
        self._next = 0

    def add(self, seconds: float, arrived: float, rgb: NDArray[np.uint8]) -> None:
        """Take the next frame.

        Args:
            seconds: when it is shown, after the start of the stream; not before the frame before it.
            arrived: when it came, by the clock of this machine.
            rgb: ``(H, W, 3)`` uint8.

        Raises:
            ConfigurationError: the frames of a window take more memory than allowed.
        """
        if self._kept and self._kept[-1].rgb.shape != rgb.shape:
            self.restart()
        if not self._kept and self._next == 0:
            self._origin = seconds
        frame = LiveFrame(self.num_frames, seconds, arrived, rgb)
        self.num_frames += 1
        self._newest = frame
        self._kept.append(frame)
        oldest = seconds - self.window_seconds - self.hop_seconds  # the newest complete window begins behind that
        while self._kept[0].seconds < oldest - _ROUNDING_SECONDS and len(self._kept) > 1:
            self._drop()
        if len(self._kept) * rgb.nbytes > self._most_bytes:
            height_px, width_px = rgb.shape[:2]
            raise ConfigurationError(
                f"window_seconds is {self.window_seconds:g}: the frames of {width_px}x{height_px} px in a window take "
                f"more than {self._most_bytes / 2**30:.2g} GiB; pass a shorter window, or a smaller stream"
            )

    def newest(self) -> FrameWindow | None:
        """The newest complete window that was not handed out yet; those before it are skipped.

        A window is complete once a frame behind it has come.
        """
        if self._newest is None or not self._kept:
            return None
        passed = self._newest.seconds - self._origin - self.window_seconds + _ROUNDING_SECONDS
        number = floor(passed / self.hop_seconds) if passed >= 0 else -1
        if number < self._next:
            return None
        return self._handed_out(number, self._start(number), self._start(number) + self.window_seconds)

    def last(self) -> FrameWindow | None:
        """At the end of the stream: the window that ends with it, where frames are left that were in none."""
        if not self._kept or self._kept[-1].index <= self._seen:
            return None
        end = self._kept[-1].seconds + self._frame_seconds()
        start = max(end - self.window_seconds, self._kept[0].seconds)
        return self._handed_out(self._next, start, end)

    def _handed_out(self, number: int, start: float, end: float) -> FrameWindow | None:
        inside = [frame for frame in self._kept if start - _ROUNDING_SECONDS <= frame.seconds < end - _ROUNDING_SECONDS]
        num_skipped = number - self._next
        self._next = number + 1
        if not inside:  # a pause of the stream
            return None
        self.num_skipped += num_skipped
        window = FrameWindow(start, end, tuple(inside), self._rate(inside), num_skipped)
        before, self._seen = self._seen, inside[-1].index
        self.num_dropped += sum(before < frame.index < inside[0].index for frame in self._kept)
        return window

    def _start(self, number: int) -> float:
        return self._origin + number * self.hop_seconds

    def _drop(self) -> None:
        frame = self._kept.popleft()
        self.num_dropped += frame.index > self._seen

    def _rate(self, frames: list[LiveFrame]) -> float:
        """Frames per second: as stated, where they come so."""
        span = frames[-1].seconds - frames[0].seconds
        measured = (len(frames) - 1) / span if span > 0 else 0.0
        if self.fps > 0 and (measured == 0 or abs(measured / self.fps - 1) < _LIKE_STATED):
            return self.fps
        return measured

    def _frame_seconds(self) -> float:
        rate = self._rate(list(self._kept))
        return 1 / rate if rate > 0 else self.hop_seconds
