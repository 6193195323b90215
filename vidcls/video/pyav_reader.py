"""A video file -> frames by PyAV: the slowest decoder, and the one that reads what the others refuse."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vidcls.errors import DecodeError, MissingExtraError
from vidcls.types import VideoInfo

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream


class PyavReader:
    """Reads with PyAV on one thread; index i is the i-th frame in presentation order.

    The packets' timestamps are listed once, without decoding. Where each has one of its own, a frame is reached from
    the key frame before it; where not (AVI knows no presentation times), by counting from the start.

    Args:
        path: the video file.
    """

    def __init__(self, path: Path) -> None:
        self._av = _import_av()
        self._path = path
        try:
            self._container, self._stream = _open_best_stream(self._av, path)
            packets = [
                (packet.pts, packet.is_keyframe)
                for packet in self._container.demux(self._stream)
                if packet.size and not packet.is_discard
            ]
        except self._av.FFmpegError as error:
            raise DecodeError(_reason(error)) from error
        self.fps = float(self._stream.average_rate or self._stream.guessed_rate or 0)
        self.num_frames = len(packets)
        if self.num_frames == 0:
            raise DecodeError("the video stream has no frame")
        self._pts: list[int] = []  # sorted; empty where frames must be counted
        self._key_frames = [0]
        times = {pts for pts, _ in packets if pts is not None}
        if len(times) == self.num_frames:
            self._pts = sorted(times)
            keys = {pts for pts, is_key in packets if is_key}
            self._key_frames = sorted({0} | {i for i, pts in enumerate(self._pts) if pts in keys})
        self._index_of_pts: dict[int | None, int] = {pts: i for i, pts in enumerate(self._pts)}
        self._next_index = self.num_frames  # of the frame that decoding gives next; past the end: seek first
        self._decoded: Iterator[VideoFrame] = iter(())

    @property
    def info(self) -> VideoInfo:
        """All facts; decodes the first frame, which carries the rotation tag."""
        height_px, width_px = self.frames([0]).shape[-2:]
        return VideoInfo(self.num_frames, self.fps, height_px, width_px, codec_name(self._path))

    def frames(self, indices: Sequence[int]) -> Tensor:
        """The frames at ``indices``, ``(T, 3, H, W)`` uint8."""
        try:
            picture_of = {i: self._picture(i) for i in sorted(set(indices))}
        except self._av.FFmpegError as error:
            self._next_index = self.num_frames
            raise DecodeError(_reason(error)) from error
        return torch.stack([picture_of[i] for i in indices])

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def _picture(self, index: int) -> Tensor:
        """Frame ``index`` as ``(3, H, W)`` uint8, upright."""
        key_frame = self._key_frames[bisect_right(self._key_frames, index) - 1]
        if not key_frame <= self._next_index <= index:
            self._start_at(key_frame)
        while True:
            frame = next(self._decoded, None)
            found = None if frame is None else self._index_of(frame)
            if frame is not None and found == index:
                return _upright_rgb(frame)
            if found is None or found > index:  # the container sought past the frame, or lost it
                if key_frame == 0:
                    self._next_index = self.num_frames
                    raise DecodeError(f"frame {index} cannot be decoded; the file may be cut off or damaged")
                key_frame = 0
                self._start_at(0)

    def _index_of(self, frame: VideoFrame) -> int | None:
        """The place of a frame that was just decoded; None where its timestamp is not one of the packets'."""
        index = self._next_index if not self._pts else self._index_of_pts.get(frame.pts)
        if index is not None:
            self._next_index = index + 1
        return index

    def _start_at(self, key_frame: int) -> None:
        """Make decoding go on from a key frame: by a seek, or by opening the file again for the first one."""
        if key_frame == 0:
            self.close()
            self._container, self._stream = _open_best_stream(self._av, self._path)
        else:
            self._container.seek(self._pts[key_frame], stream=self._stream)
        self._decoded = self._container.decode(self._stream)
        self._next_index = key_frame


def codec_name(path: Path) -> str:
    """The FFmpeg name of the codec of a file's best video stream, such as ``h264``; reads the header only.

    Raises:
        DecodeError: the file cannot be opened; says why, but not of which file.
    """
    av = _import_av()
    try:
        container, stream = _open_best_stream(av, path)
    except av.FFmpegError as error:
        raise DecodeError(_reason(error)) from error
    with container:
        return str(stream.codec_context.codec.canonical_name)


def _open_best_stream(av: ModuleType, path: Path) -> tuple[InputContainer, VideoStream]:
    container = av.open(str(path))
    stream = container.streams.best("video")
    if stream is None:
        container.close()
        raise DecodeError("there is no video stream")
    stream.codec_context.thread_count = 1
    return container, stream


def _upright_rgb(frame: VideoFrame) -> Tensor:
    """A decoded frame as ``(3, H, W)`` uint8, turned by its rotation tag, which PyAV leaves to the caller."""
    rgb = torch.from_numpy(frame.to_ndarray(format="rgb24"))  # (H, W, 3)
    if frame.rotation % 90:
        raise DecodeError(f"is tagged with a rotation of {frame.rotation} degrees; only multiples of 90 are known")
    return torch.rot90(rgb, frame.rotation // 90, dims=(0, 1)).permute(2, 0, 1)


def _import_av() -> ModuleType:
    try:
        import av
    except (ImportError, OSError) as error:
        raise MissingExtraError(f"PyAV cannot be imported ({error}); run: pip install av") from error
    return av


def _reason(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
