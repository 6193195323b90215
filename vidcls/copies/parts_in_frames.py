"""Parts of videos in seconds -> the frames that they have, which a copy has too, whatever its own clock says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vidcls.errors import DatasetError
from vidcls.types import VideoRecord
from vidcls.video import open_video
from vidcls.video.source import VideoSource
from vidcls.video.timing import FrameTimes, frame_times
from vidcls.video_part import VideoPart


def with_known_frames(records: Sequence[VideoRecord]) -> list[VideoRecord]:
    """The records with the frames of their parts, by the time stamps of the files; each file is opened once.

    Raises:
        DatasetError: a part is beyond the end of its video, or has no frame.
        DecodeError: a video cannot be opened.
    """
    known: dict[VideoSource, FrameTimes] = {}
    return [_with_frames(record, known) for record in records]


def parts_in_frames(records: Sequence[VideoRecord]) -> list[VideoRecord]:
    """The records with their parts in frames, named accordingly; errors as of :func:`with_known_frames`."""
    found = with_known_frames(records)
    return [
        record if record.part is None or record.part.frames is None
        else record.with_part(VideoPart(*record.part.frames, "frames"))
        for record in found
    ]  # fmt: skip


def _with_frames(record: VideoRecord, known: dict[VideoSource, FrameTimes]) -> VideoRecord:
    if record.part is None or record.part.unit == "frames":
        return record
    if record.source not in known:
        with open_video(record.source) as video:
            known[record.source] = frame_times(video)
    try:
        return replace(record, part=replace(record.part, frames=known[record.source].within(record.part)))
    except DatasetError as error:
        raise DatasetError(f"{record.source}: {error}") from error
