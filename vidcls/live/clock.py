"""The times that a source states -> one clock that never falls; and when a lost source is tried again."""

from __future__ import annotations

from dataclasses import dataclass

MOST_JUMP_SECONDS = 5.0  # between the clock of a source and ours: beyond it the source has begun again, or was late


@dataclass(frozen=True, slots=True)
class Backoff:
    """How a lost stream is tried again.

    Args:
        first_seconds: before the first try; each further wait is twice as long.
        most_seconds: of one wait.
        give_up_seconds: without a frame, after which the stream is lost for good.
    """

    first_seconds: float = 0.5
    most_seconds: float = 10.0
    give_up_seconds: float = 60.0

    def wait_seconds(self, num_tries: int) -> float:
        """Before the next try.

        >>> [Backoff().wait_seconds(num_tries) for num_tries in (0, 1, 4, 9)]
        [0.5, 1.0, 8.0, 10.0]
        """
        return min(self.first_seconds * 2.0 ** min(num_tries, 30), self.most_seconds)


class StreamClock:
    """The times that a source states -> seconds after the start of the stream, never falling.

    Args:
        is_file: the times of a file are taken from its first frame on, and never corrected.
    """

    def __init__(self, *, is_file: bool) -> None:
        self.started = 0.0
        """When the stream was opened, by our clock."""
        self._is_file = is_file
        self._base: float | None = None  # our seconds where the source states 0
        self._began = 0.0  # our clock where the seconds of a file are 0
        self._last = 0.0

    def connect(self) -> None:
        """What comes has another beginning."""
        self._base = None

    def seconds(self, stated: float | None, arrived: float) -> tuple[float, bool]:
        """Of a frame that came just now, and whether the source has jumped before it."""
        now = arrived - self.started
        if stated is None:
            return self._rising(now), False
        has_jumped = False
        if self._base is None:
            self._base, self._began = (-stated if self._is_file else now - stated), arrived
        elif not self._is_file and abs(self._base + stated - now) > MOST_JUMP_SECONDS:
            self._base, has_jumped = now - stated, True
        return self._rising(self._base + stated), has_jumped

    def due(self, seconds: float) -> float:
        """When a frame of a file is to be shown, by our clock."""
        return self._began + seconds

    def _rising(self, seconds: float) -> float:
        self._last = max(self._last, seconds)
        return self._last
