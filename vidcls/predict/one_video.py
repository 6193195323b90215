"""A path, bytes or an open video -> the record of a video that belongs to no data set."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from vidcls.types import VideoRecord
from vidcls.video import Video
from vidcls.video.source import AnyVideo

VideoOrPath = AnyVideo | Video


def record_of(video: VideoOrPath) -> VideoRecord:
    """A video of no data set."""
    if not isinstance(video, Video | str | PathLike):
        raise TypeError(f"a {type(video).__name__} is opened first: pass what vidcls.open_video gives")
    path = video.path if isinstance(video, Video) else Path(video)
    return VideoRecord(path, label="", split="test", name=path.name)
