"""A path or an open video -> the record of a video that belongs to no data set."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from vidcls.types import VideoRecord
from vidcls.video import Video

VideoOrPath = str | PathLike[str] | Video


def record_of(video: VideoOrPath) -> VideoRecord:
    """A video of no data set."""
    path = video.path if isinstance(video, Video) else Path(video)
    return VideoRecord(path, label="", split="test", name=path.name)
