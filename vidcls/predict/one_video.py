"""A video -> the record of a video that belongs to no data set."""

from __future__ import annotations

from pathlib import PurePath

from vidcls.types import VideoRecord
from vidcls.video import Video, source_of
from vidcls.video.source import AnyVideo
from vidcls.video_part import VideoPart


def record_of(video: AnyVideo | Video, part: VideoPart | None = None) -> VideoRecord:
    """A video of no data set, or a part of it."""
    source = video.source if isinstance(video, Video) else source_of(video)
    return VideoRecord(source, label="", split="test", name=PurePath(source.name).name).with_part(part)
