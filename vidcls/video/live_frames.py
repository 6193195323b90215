"""A camera, a stream at an address or a file -> its frames as they come, by PyAV."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vidcls.errors import DecodeError
from vidcls.live_place import LivePlace
from vidcls.video.containers import FORMATS, best_stream, ffmpeg_reason, import_av, open_best_stream

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.filter import Graph
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

OPEN_SECONDS, READ_SECONDS = 10.0, 10.0  # after which a source that says nothing is given up
PROBE_SECONDS = 1  # of a stream that FFmpeg looks at before it says what is in it
_WITHOUT_TIMES = ("mjpeg", "mpjpeg", "h264", "hevc", "m4v")  # whose clock is FFmpeg's guess of 25 frames per second
_CAMERAS = {"linux": ("v4l2", "/dev/video{}"), "darwin": ("avfoundation", "{}:none")}
_MAY_OPEN = {  # what else a protocol may open, and the formats beside those of files
    "rtsp": ("rtsp,rtp,udp,tcp", "rtsp"),
    "tcp": ("tcp", ""),
    "udp": ("udp", ""),
    "http": ("http,tcp", ""),
    "https": ("https,tls,tcp", ""),
}


class LiveFrames:
    """One connection: iterating gives the time of each frame in seconds, None where the source states none, and RGB.

    The frames are ``(H, W, 3)`` uint8, upright. Of a camera or an address, damaged frames, such as those before the
    first key frame, are left out and counted.

    Args:
        place: where the frames come from.
        open_seconds: how long opening may take.
        read_seconds: how long the source may say nothing.

    Raises:
        DecodeError: it cannot be opened, or, while iterating, breaks off or says nothing; does not name the place.
    """

    def __init__(
        self, place: LivePlace, *, open_seconds: float = OPEN_SECONDS, read_seconds: float = READ_SECONDS
    ) -> None:
        self._av = import_av()
        self.place = place
        self.num_damaged = 0
        self._read_seconds = read_seconds
        self._container, self._stream = self._opened(open_seconds)
        has_times = place.kind == "file" or self._container.format.name not in _WITHOUT_TIMES
        self._time_base = self._stream.time_base if has_times else None
        rate = self._stream.average_rate or self._stream.guessed_rate
        self.fps = float(rate) if rate and has_times else 0.0
        """Frames per second as the source states it, 0 where it does not."""
        self._to_rgb: Graph | None = None
        self._shape: tuple[int, int, str] | None = None

    def __iter__(self) -> Iterator[tuple[float | None, NDArray[np.uint8]]]:
        """The frames as they come, until the source ends."""
        try:
            for packet in self._container.demux(self._stream):
                for frame in self._decoded(packet):
                    seconds = None
                    if self._time_base is not None and frame.pts is not None:
                        seconds = float(frame.pts * self._time_base)
                    yield seconds, self._rgb(frame)
        except self._av.FFmpegError as error:
            raise DecodeError(self._reason(error, self._read_seconds)) from error

    def __enter__(self) -> LiveFrames:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._to_rgb = None
        self._container.close()

    def _decoded(self, packet) -> list[VideoFrame]:  # type: ignore[no-untyped-def]
        if self.place.kind == "file":
            return packet.decode()
        try:
            frames = packet.decode()
        except self._av.error.InvalidDataError:
            self.num_damaged += 1
            return []
        intact = [frame for frame in frames if not frame.is_corrupt]
        self.num_damaged += len(frames) - len(intact)
        return intact

    def _opened(self, open_seconds: float) -> tuple[InputContainer, VideoStream]:
        if self.place.kind == "file":
            return open_best_stream(Path(self.place.target))
        target, format_name, options = self.place.target, None, {}
        if self.place.kind == "camera":
            format_name, pattern = _camera_format(self._av.formats_available)
            target = pattern.format(self.place.target)
        else:
            protocols, more = _MAY_OPEN[target.partition("://")[0]]
            options = {
                "protocol_whitelist": protocols,
                "format_whitelist": f"{FORMATS},{more}".rstrip(","),
                "analyzeduration": str(PROBE_SECONDS * 1_000_000),
            }
            if target.startswith("rtsp://"):
                options["rtsp_transport"] = "tcp"  # datagrams are lost, or stopped by a firewall
        try:
            container: InputContainer = self._av.open(
                target,
                format=format_name,
                container_options=options,
                metadata_errors="replace",
                timeout=(open_seconds, self._read_seconds),
            )
        except self._av.FFmpegError as error:
            raise DecodeError(self._reason(error, open_seconds)) from error
        try:
            stream = best_stream(container)
        except DecodeError:
            container.close()
            raise
        stream.codec_context.thread_count = 1  # with more, frames come later
        return container, stream

    def _rgb(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """A decoded frame as ``(H, W, 3)`` uint8, upright; converted as for files."""
        shape = (frame.width, frame.height, frame.format.name)
        if self._to_rgb is None or shape != self._shape:  # a stream may change its size
            self._shape, self._to_rgb = shape, self._av.filter.Graph()
            self._to_rgb.link_nodes(
                self._to_rgb.add_buffer(
                    width=frame.width, height=frame.height, format=frame.format, time_base=self._stream.time_base
                ),
                self._to_rgb.add("format", "rgb24"),
                self._to_rgb.add("buffersink"),
            ).configure()
        self._to_rgb.vpush(frame)
        return np.rot90(self._to_rgb.vpull().to_ndarray(), frame.rotation // 90)  # (H, W, 3)

    def _reason(self, error: Exception, seconds: float) -> str:
        if isinstance(error, self._av.error.ExitError):  # of PyAV's own limit of time
            return f"says nothing for {seconds:g} s"
        return ffmpeg_reason(error).replace(self.place.target, self.place.name)


def _camera_format(available: set[str]) -> tuple[str, str]:
    found = _CAMERAS.get(sys.platform)
    if found is None or not any(found[0] in names.split(",") for names in available):
        raise DecodeError("cameras cannot be read here; serve it with ffmpeg, and pass tcp://HOST:PORT")
    return found
