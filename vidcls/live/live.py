"""A live stream and whatever scores videos -> a result for each newest window, with its lag and what was skipped."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol

from vidcls.errors import ConfigurationError
from vidcls.live.stream import LiveStream
from vidcls.live.windows import FrameWindow, SlidingWindows
from vidcls.predict.prediction import Prediction
from vidcls.types import Stream, sees
from vidcls.video.shared_fields import SharedFields
from vidcls.video.source import FramesInMemory, source_of

POLL_SECONDS = 0.04
MOST_LAGS = 10_000  # whose median is told


class ScoresVideos(Protocol):
    """What the loop needs of a predictor."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """K names."""

    def __call__(self, video: FramesInMemory, /) -> Prediction:
        """The scores of a video."""


@dataclass(frozen=True, slots=True, eq=False)
class LiveResult:
    """What a network says of one window.

    Args:
        prediction: the scores; its seconds count from the start of the stream.
        window: the frames.
        time: when the last frame of the window came.
        lag_seconds: from then until the scores were there.
        windows_per_second: that were scored, over the last ones.
        num_skipped: windows since the one before that nobody scored.
        num_dropped: frames so far that were in no window that was scored.
    """

    prediction: Prediction
    window: FrameWindow
    time: datetime
    lag_seconds: float
    windows_per_second: float
    num_skipped: int
    num_dropped: int


@dataclass
class LiveTally:
    """What is said in the end; filled while :func:`live_results` goes on.

    Args:
        lags: of the newest windows in seconds, as a camera may go on for months.
        num_windows: that were scored.
        longest_lag: of all of them, in seconds.
        seconds: how long it went on.
    """

    lags: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_LAGS))
    num_windows: int = 0
    longest_lag: float = 0.0
    seconds: float = 0.0

    def add(self, lag_seconds: float) -> None:
        """Count a window."""
        self.lags.append(lag_seconds)
        self.num_windows += 1
        self.longest_lag = max(self.longest_lag, lag_seconds)

    def text(self, windows: SlidingWindows, stream: LiveStream) -> str:
        """One line."""
        if not self.lags:
            return f"no window was complete in {self.seconds:.1f} s ({windows.num_frames} frames came)"
        median = sorted(self.lags)[len(self.lags) // 2]
        damaged = f", {stream.num_damaged} damaged" if stream.num_damaged else ""
        windows_s, frames_s, times_s = (
            "" if number == 1 else "s" for number in (self.num_windows, windows.num_frames, stream.num_reconnects)
        )
        return (
            f"{self.num_windows} window{windows_s} in {self.seconds:.1f} s; lag {median:.2f} s (median), "
            f"{self.longest_lag:.2f} s (longest); {windows.num_skipped} windows skipped; "
            f"{windows.num_frames} frame{frames_s}, {windows.num_dropped} dropped"
            f"{damaged}; connected again {stream.num_reconnects} time{times_s}"
        )


def live_results(
    scorer: ScoresVideos,
    stream: LiveStream,
    windows: SlidingWindows,
    *,
    duration_seconds: float | None = None,
    idle: Callable[[], bool] | None = None,
    tally: LiveTally | None = None,
) -> Iterator[LiveResult]:
    """The result of each newest window, until the stream ends or is stopped.

    Each window is scored as a video of its own, with its frames and their rate, so that its scores are those of the
    same frames in a file. Flow between two frames that the window before had too is not computed again, where the
    method gives the same field alone. The network itself begins with each window again: the memory of a recurrent
    model depends on where it began, so that carrying it on would give other scores than those that were tested.

    Args:
        scorer: a predictor.
        stream: open.
        windows: those that the stream fills.
        duration_seconds: after which to stop; None goes on.
        idle: called some times a second while there is nothing to score, and after each result; True stops.
        tally: to be filled.

    Raises:
        DecodeError: the stream cannot be read, is lost for good, or hangs.
        DatasetError, CheckpointError: as the scorer.
    """
    settings = getattr(scorer, "input_settings", None)
    if settings is not None:
        check_deaf(settings.streams)
    tally = LiveTally() if tally is None else tally
    fields: SharedFields = SharedFields()
    done_at: list[float] = []
    try:
        while duration_seconds is None or time.monotonic() - stream.started < duration_seconds:
            was_over = stream.is_over
            window = stream.next_window(POLL_SECONDS if idle is not None else 0.5)
            if window is not None:
                prediction = scored_window(scorer, window, stream.place.name, fields)
                now = time.monotonic()
                done_at = [*done_at[-9:], now]
                rate = (len(done_at) - 1) / (now - done_at[0]) if len(done_at) > 1 else 0.0
                came = datetime.now(UTC).timestamp() - (now - window.arrived)
                tally.add(now - window.arrived)
                tally.seconds = now - stream.started
                yield LiveResult(
                    prediction,
                    window,
                    datetime.fromtimestamp(came, UTC),
                    now - window.arrived,
                    rate,
                    window.num_skipped,
                    windows.num_dropped,
                )
            elif was_over:
                return
            if idle is not None and idle():
                return
    finally:
        tally.seconds = time.monotonic() - stream.started


def check_deaf(streams: Iterable[Stream]) -> None:
    """ConfigurationError where a model hears: windows of a live stream have no sound."""
    if sees(streams, "audio"):
        raise ConfigurationError(
            "this model hears, and windows of a live stream have no sound: record it and predict the file, or use a "
            "model of frames and flow alone"
        )


def scored_window(scorer: ScoresVideos, window: FrameWindow, name: str, fields: SharedFields) -> Prediction:
    """The scores of a window as a video of its own; its seconds are those of the stream."""
    video = source_of(window.rgb())
    assert isinstance(video, FramesInMemory)
    video = replace(video, fps=window.fps, name=name, shared_fields=fields.counted_from(window.frames[0].index))
    prediction = scorer(video)
    return replace(prediction, path=name, start_seconds=window.start_seconds, end_seconds=window.end_seconds)
