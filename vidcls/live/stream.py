"""A place of live frames -> its newest window, read by a thread that drops what nobody asks for and connects again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vidcls.errors import DecodeError
from vidcls.live.clock import Backoff, StreamClock
from vidcls.live.windows import FrameWindow, LiveFrame, SlidingWindows
from vidcls.live_place import LivePlace
from vidcls.video.live_frames import OPEN_SECONDS, READ_SECONDS, LiveFrames


class Connection(Protocol):
    """What is read: see :class:`vidcls.video.live_frames.LiveFrames`."""

    fps: float
    num_damaged: int

    def __iter__(self) -> Iterator[tuple[float | None, NDArray[np.uint8]]]:
        """Seconds, or None, and frames ``(H, W, 3)``."""


class LiveStream:
    """Reads a place in a thread of its own, to be used in a ``with`` block.

    Frames of a camera or an address are taken as they come; a file is played at its own rate. A connection that ends,
    breaks off or says nothing is tried again, and no window spans the gap.

    Args:
        place: where the frames come from.
        windows: takes the frames.
        say: is told what becomes of the connection, in one line each.
        backoff: how a lost connection is tried again; None takes the defaults.
        stall_seconds: how long nothing at all may come from the thread, not even an error, before it is given up.
        connect: opens a connection.
    """

    def __init__(
        self,
        place: LivePlace,
        windows: SlidingWindows,
        *,
        say: Callable[[str], object],
        backoff: Backoff | None = None,
        stall_seconds: float = OPEN_SECONDS + READ_SECONDS,
        connect: Callable[[LivePlace], AbstractContextManager[Connection]] = LiveFrames,
    ) -> None:
        self.place = place
        self.num_reconnects = 0
        """How often a lost connection was had again."""
        self.num_damaged = 0
        """Frames that could not be decoded."""
        self.started = 0.0
        """When the stream was opened, by the clock of this machine."""
        self._windows, self._say, self._backoff = windows, say, backoff or Backoff()
        self._stall_seconds, self._connect = stall_seconds, connect
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._is_over = False
        self._error: BaseException | None = None
        self._alive_at = 0.0  # when the thread did something last
        self._frame_at = 0.0  # when the last frame came
        self._clock = StreamClock(is_file=not place.is_endless)
        self._thread = threading.Thread(target=self._run, name="live stream", daemon=True)

    def __enter__(self) -> LiveStream:
        self.started = self._alive_at = self._frame_at = time.monotonic()
        self._clock.started = self.started
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the reading; a thread that hangs in a library is left behind, and ends with the program."""
        self._stop.set()
        self._thread.join(timeout=1.0)

    @property
    def newest_frame(self) -> LiveFrame | None:
        """The frame that came last."""
        with self._changed:
            return self._windows.newest_frame

    def next_window(self, timeout_seconds: float) -> FrameWindow | None:
        """The newest complete window, or at the end of the stream what is left of it; None where there is none in time.

        Raises:
            DecodeError: the stream cannot be read, is lost for good, or hangs.
            ConfigurationError: the frames of a window take too much memory.
        """
        until = time.monotonic() + timeout_seconds
        with self._changed:
            while True:
                window = self._windows.newest()
                if window is None and self._is_over and self._error is None:
                    window = self._windows.last()
                if window is not None:
                    return window
                now = time.monotonic()
                if self._is_over or now >= until:
                    break
                self._check_alive(now)
                self._changed.wait(min(until - now, 0.5))
            if self._is_over and self._error is not None:
                raise self._error
            return None

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes; what :meth:`next_window` then still has is to be asked for."""
        with self._changed:
            return self._is_over

    def _check_alive(self, now: float) -> None:
        if now - self._alive_at > self._stall_seconds:
            raise DecodeError(
                f"{self.place.name}: hangs: neither a frame nor an error for {self._stall_seconds:g} s; check the "
                "source, and start again"
            )

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            self._read_on()
        except BaseException as caught:  # noqa: BLE001 - nobody sees it in a thread: who asks for a window raises it
            error = caught
        with self._changed:
            self._error, self._is_over = error, True
            self._changed.notify_all()

    def _read_on(self) -> None:
        """Read until the end of a file, or until a stream is lost for good or nobody wants more."""
        num_tries = 0
        while not self._stop.is_set():
            num_before = self._windows.num_frames
            try:
                self._read_once(num_tries)
                reason = "ended"
            except DecodeError as error:
                if not self.place.is_endless:
                    raise DecodeError(
                        f"{self.place.name}: cannot be played ({error}); check that it is an intact video",
                        reason=str(error),
                    ) from error
                reason = str(error)
            if not self.place.is_endless or self._stop.is_set():
                return
            num_tries = 0 if self._windows.num_frames > num_before else num_tries + 1
            self._wait(reason, num_tries)

    def _wait(self, reason: str, num_tries: int) -> None:
        lost_seconds = time.monotonic() - self._frame_at
        if lost_seconds >= self._backoff.give_up_seconds:
            came = "" if self._windows.num_frames else ", not one frame came"
            raise DecodeError(
                f"{self.place.name}: {reason}{came}; tried again for {self._backoff.give_up_seconds:g} s; check "
                "that it is served, and its address",
                reason=reason,
            )
        seconds = self._backoff.wait_seconds(num_tries)
        seconds = max(0.0, min(seconds, self._backoff.give_up_seconds - lost_seconds))
        self._say(f"{self.place.name}: {reason}; connecting again in {seconds:.2g} s")
        deadline = time.monotonic() + seconds
        while not self._stop.is_set() and (left := deadline - time.monotonic()) > 0:
            self._alive_at = time.monotonic()
            self._stop.wait(min(left, 1.0))
        self._alive_at = time.monotonic()

    def _read_once(self, num_tries: int) -> None:
        """The frames of one connection.

        Raises:
            DecodeError: it breaks off, without the name of the place.
        """
        with self._connect(self.place) as connection:
            self._alive_at = time.monotonic()
            clock = self._clock
            clock.connect()
            is_first = True
            try:
                for stated, rgb in connection:
                    arrived = time.monotonic()
                    seconds, has_jumped = clock.seconds(stated, arrived)
                    if not self.place.is_endless:
                        arrived = self._played_at(clock, seconds)
                    if self._stop.is_set():
                        return
                    with self._changed:
                        if is_first:
                            self._first_frame(connection.fps, num_tries)
                        elif has_jumped:
                            self._windows.restart()
                        is_first = False
                        self._windows.add(seconds, arrived, rgb)
                        self._alive_at = self._frame_at = arrived
                        self._changed.notify_all()
            finally:
                self.num_damaged += connection.num_damaged

    def _first_frame(self, fps: float, num_tries: int) -> None:
        if self._windows.num_frames:
            self.num_reconnects += 1
            lost_seconds = time.monotonic() - self._frame_at
            self._say(f"{self.place.name}: connected again after {lost_seconds:.1f} s (try {num_tries + 1})")
            self._windows.restart()
        self._windows.fps = fps

    def _played_at(self, clock: StreamClock, seconds: float) -> float:
        """Wait until a frame of a file is to be shown; returns when that was."""
        wait = clock.due(seconds) - time.monotonic()
        while wait > 0 and not self._stop.is_set():
            self._alive_at = time.monotonic()
            self._stop.wait(min(wait, 1.0))
            wait = clock.due(seconds) - time.monotonic()
        return time.monotonic()
