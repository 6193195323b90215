"""A video -> the record of a video that belongs to no data set."""

from __future__ import annotations

from pathlib import Path

from vidcls.types import VideoRecord
from vidcls.video import Video, source_of
from vidcls.video.source import AnyVideo


def record_of(video: AnyVideo | Video) -> VideoRecord:
    """A video of no data set."""
    source = video.source if isinstance(video, Video) else source_of(video)
    return VideoRecord(source, label="", split="test", name=Path(source.name).name)
