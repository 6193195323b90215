"""Records, or segments of a video -> what label tools keep: a video's frames, and the ranges of them with a class."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from vidcls.errors import DatasetError
from vidcls.types import VideoRecord
from vidcls.video import open_video
from vidcls.video.source import LocalFile, VideoSource
from vidcls.video.timing import FrameTimes, frame_times, frames_of_part
from vidcls.video_part import VideoPart


@dataclass(frozen=True, slots=True)
class LabelledFrames:
    """Frames of a video with a class.

    Args:
        label: the class.
        first: the first frame, counted from 0.
        stop: the frame after the last one.
        confidence: of a prediction.
    """

    label: str
    first: int
    stop: int
    confidence: float | None = None


@dataclass(frozen=True)
class LabelledVideo:
    """A video with what was said of it.

    Args:
        name: of the video in its data set.
        path: of its file; its address where it is at one.
        num_frames: of the video.
        height_px: of its frames, upright.
        width_px: of its frames.
        parts: the frames that have a class.
    """

    name: str
    path: str
    num_frames: int
    height_px: int
    width_px: int
    parts: list[LabelledFrames] = field(default_factory=list)


def labelled_video(
    name: str, source: VideoSource, labels: Sequence[tuple[VideoPart | None, str, float | None]]
) -> LabelledVideo:
    """One video, opened for the time stamps of its frames.

    Args:
        name: of the video.
        source: where it is.
        labels: parts, None being the whole video, each with its class and the confidence of a prediction.

    Raises:
        DatasetError: a part is not in the video.
        DecodeError: it cannot be opened.
    """
    path = os.path.abspath(source.path) if isinstance(source, LocalFile) else source.name  # noqa: PTH100 - links stay
    with open_video(source) as video:
        info, times = video.info, (frame_times(video) if any(part is not None for part, _, _ in labels) else None)
    found = LabelledVideo(name, path, info.num_frames, info.height_px, info.width_px)
    for part, label, confidence in labels:
        first, stop = 0, info.num_frames
        if part is not None and times is not None:
            try:
                first, stop = frames_of_part(part, info.num_frames, partial(_itself, times))
            except DatasetError as error:
                raise DatasetError(f"{source}: {error}") from error
        found.parts.append(LabelledFrames(label, first, stop, confidence))
    return found


def _itself(times: FrameTimes) -> FrameTimes:
    return times


def labelled_videos(records: Sequence[VideoRecord]) -> Iterator[LabelledVideo]:
    """The videos of records, each once, in order; a video of several classes has a range of frames for each.

    Raises:
        DatasetError, DecodeError: as :func:`labelled_video`.
    """
    by_video: dict[str, list[VideoRecord]] = {}
    for record in records:
        by_video.setdefault(record.video_name, []).append(record)
    for name, together in by_video.items():
        labels = [(record.part, one, None) for record in together for one in record.classes]
        yield labelled_video(name, together[0].source, labels)
