"""A short video -> the rate at which it lasts long enough to be looked at."""

from __future__ import annotations

LEAST_SECONDS = 3.0


def shown_fps(num_frames: int, fps: float) -> float:
    """Frames per second: as given, or fewer so that the video lasts three seconds.

    >>> shown_fps(100, 25.0), shown_fps(15, 25.0)
    (25.0, 5.0)
    """
    return min(fps, num_frames / LEAST_SECONDS)


def slowed_text(num_frames: int, fps: float) -> str:
    """What is said behind the name of such a video; empty where it is as fast as it was.

    >>> slowed_text(15, 25.0)
    ' (slowed down 5 times, to last 3 s)'
    """
    shown = shown_fps(num_frames, fps)
    return f" (slowed down {fps / shown:.2g} times, to last {LEAST_SECONDS:g} s)" if shown < fps else ""
