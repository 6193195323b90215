"""An uploaded video -> what a network is fed of it; the work of a process that may crash over it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vidcls.clips.indices import ClipIndices
from vidcls.clips.settings import InputSettings
from vidcls.errors import DecodeError
from vidcls.predict.clip_scorer import ReadsClips
from vidcls.predict.one_video import record_of
from vidcls.serve.limits import Limits
from vidcls.serve.refusal import Refusal
from vidcls.transforms.geometry import Size, before_crop
from vidcls.video import Video, open_video
from vidcls.video.in_order import in_order, open_in_order
from vidcls.video.reader import is_text
from vidcls.video.source import VideoSource
from vidcls.video.stated_size import stated_size
from vidcls.video.timing import frame_times

Streams = dict[str, NDArray[np.generic]]
"""Views of a video by stream, ``(V, C, T, H, W)`` each: RGB uint8, flow float32 px."""

ReadAs = Literal["tensors", "arrays"]
"""How pixels are computed: as for checkpoints, or as for exported files, without torch."""

MOST_WINDOWS = 24
LEAST_WINDOW_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class ReadSettings:
    """What a process is told of the model.

    Args:
        clips: how a video becomes the input of the network.
        limits: what is accepted.
        read_as: how its pixels are computed.
    """

    clips: InputSettings
    limits: Limits
    read_as: ReadAs = "tensors"


@dataclass(frozen=True, slots=True)
class ReadViews:
    """The views of a video, or of a span of it.

    Args:
        streams: what the network is fed.
        start_seconds: where the span begins.
        end_seconds: where it ends.
    """

    streams: Streams
    start_seconds: float
    end_seconds: float


def read_views(source: VideoSource, settings: ReadSettings) -> ReadViews:
    """The views of a whole video, as the test of the model takes them.

    Raises:
        Refusal: it is beyond a limit.
        VidclsError: it cannot be read, or is too short.
    """
    reader, record = _reader(settings), record_of(source)
    check_size(source, settings.clips, settings.limits)
    with open_video(source, settings.clips.decoder) as video:
        check_opened(video, settings.clips, settings.limits)
        pixels = reader.pixels(video, record, reader.planner.test_indices(video, record))
        end_seconds = frame_times(video).end_seconds if video.fps else 0.0
    return ReadViews(_streams(pixels, settings), 0.0, end_seconds)


def read_windows(source: VideoSource, settings: ReadSettings) -> list[ReadViews]:
    """The views of up to ``MOST_WINDOWS`` windows, end to end, each decoded once.

    Raises:
        Refusal, VidclsError: as `read_views`.
    """
    return [*_each_window(source, settings)]


def _each_window(source: VideoSource, settings: ReadSettings) -> Iterator[ReadViews]:
    reader, record = _reader(settings), record_of(source)
    check_size(source, settings.clips, settings.limits)
    with open_in_order(source, settings.clips.decoder) as video:
        check_opened(video, settings.clips, settings.limits)
        times = frame_times(video)
        seconds = max(times.end_seconds / MOST_WINDOWS, min(LEAST_WINDOW_SECONDS, times.end_seconds))
        windows = times.windows(seconds, seconds)
        planned: deque[list[ClipIndices]] = deque()

        def needed() -> Iterator[set[int]]:
            for window in windows:
                frame_range = (window.first, window.stop)
                planned.append(reader.planner.test_indices(video, record, frame_range=frame_range))
                yield reader.planner.frames_of(planned[-1])

        for window, held in zip(windows, in_order(video, needed()), strict=True):
            pixels = reader.pixels(held, record, planned.popleft())
            yield ReadViews(_streams(pixels, settings), window.start_seconds, window.end_seconds)


def check_size(source: VideoSource, clips: InputSettings, limits: Limits) -> None:
    """Refuse a video that is too large by the bytes of its file or by its header, before it is decoded.

    What its frames are resized to counts as well.

    Raises:
        Refusal: names the limit.
        DecodeError: it is missing, or not a video.
    """
    stamp = source.stamp()
    if stamp is None:
        raise DecodeError(f"{source.name}: there is no such video; check the address")
    if stamp[0] > limits.max_bytes:
        raise Refusal(
            413, "too_large", f"{source.name}: has {stamp[0]:,} bytes; this server takes {limits.max_bytes:,}"
        )
    with source.local_file() as path:
        try:
            stated = stated_size(path)
        except DecodeError as error:
            hint = "it is text, not a video" if is_text(source) else "is it a whole video?"
            raise type(error)(f"{source.name}: {error}; {hint}") from error
    _check(source, (stated.height_px, stated.width_px), stated.seconds, clips, limits)


def check_opened(video: Video, clips: InputSettings, limits: Limits) -> None:
    """Refuse a video that is too large by what its decoder finds, or by what its frames are resized to.

    Raises:
        Refusal: names the limit.
        DecodeError: its first frame cannot be decoded.
    """
    info = video.info
    seconds = info.num_frames / info.fps if info.fps else 0.0
    _check(video.source, (info.height_px, info.width_px), seconds, clips, limits)


def _check(source: VideoSource, size: Size, seconds: float, clips: InputSettings, limits: Limits) -> None:
    height_px, width_px = size
    if height_px * width_px > limits.max_pixels:
        raise Refusal(
            422,
            "too_many_pixels",
            f"{source.name}: is {width_px}x{height_px}; this server takes {limits.max_pixels:,} pixels a frame: make "
            "it smaller (ffmpeg -i FILE -vf scale=640:-2 OUTPUT.mp4)",
        )
    transform = clips.transform
    if not transform.stretch and 0 not in size:  # as where a header states none
        high, wide = before_crop(size, resize_px=transform.resize_px, crop_size=transform.crop_size)
        if high * wide > limits.max_pixels:
            raise Refusal(
                422,
                "too_many_pixels",
                f"{source.name}: is {width_px}x{height_px}, which this network's short side enlarges to {wide}x{high}; "
                f"this server takes {limits.max_pixels:,} pixels a frame: cut it to a usual shape",
            )
    if seconds > limits.max_duration_seconds:
        raise Refusal(
            422,
            "too_long",
            f"{source.name}: lasts {seconds:.1f} s; this server takes {limits.max_duration_seconds:g} s: send a "
            "part of it (ffmpeg -i FILE -t 60 OUTPUT.mp4)",
        )


def _reader(settings: ReadSettings) -> ReadsClips[Any]:
    if settings.read_as == "arrays":
        from vidcls.runtime.clips import ArrayClips

        return ArrayClips(settings.clips)
    from vidcls.clips.reader import ClipReader

    return ClipReader(settings.clips)


def _streams(pixels: list[Any], settings: ReadSettings) -> Streams:
    if settings.read_as == "arrays":
        from vidcls.runtime import pixels as arrays

        return arrays.stacked(arrays.views_of(pixels, settings.clips))
    from vidcls.clips import views

    return {name: stream.numpy() for name, stream in views.stack_views(views.views_of(pixels, settings.clips)).items()}
