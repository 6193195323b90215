"""A camera, a stream or a file that is played -> what a network says of its newest window, again and again."""

from vidcls.live.clock import Backoff
from vidcls.live.live import LiveResult, LiveTally, live_results
from vidcls.live.stream import LiveStream
from vidcls.live.windows import FrameWindow, SlidingWindows
from vidcls.live_place import live_place

__all__ = [
    "Backoff",
    "FrameWindow",
    "LiveResult",
    "LiveStream",
    "LiveTally",
    "SlidingWindows",
    "live_place",
    "live_results",
]
