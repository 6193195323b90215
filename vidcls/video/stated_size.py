"""A video file -> how large and long its header says that it is, before anything is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vidcls.errors import DecodeError
from vidcls.video.containers import best_stream, ffmpeg_reason, import_av, open_container


@dataclass(frozen=True, slots=True)
class StatedSize:
    """What a header promises; it may lie, and be silent.

    Args:
        height_px: of a frame, 0 where it is not stated.
        width_px: the same.
        seconds: how long it lasts, 0 where it is not stated.
    """

    height_px: int
    width_px: int
    seconds: float


def stated_size(path: Path) -> StatedSize:
    """The facts of the best video stream.

    Raises:
        DecodeError: it is not a video, or of a kind that is not read; says why, but not of which file.
    """
    av = import_av()
    try:
        with open_container(path) as container:
            stream = best_stream(container)
            ticks = (stream.duration or 0) * (stream.time_base or 0)
            seconds = max(float(ticks), (container.duration or 0) / 1e6)
            return StatedSize(stream.height or 0, stream.width or 0, seconds)
    except av.FFmpegError as error:
        raise DecodeError(ffmpeg_reason(error)) from error
