"""A video file -> frames by PyAV: the decoder that reads what the others refuse, and decodes least for a clip."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vidcls.errors import DecodeError, first_line
from vidcls.types import VideoInfo
from vidcls.video.containers import import_av, open_best_stream
from vidcls.video.packets import list_packets
from vidcls.video.video_reader import Frames, GivesTensors

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.filter import Graph
    from av.video import VideoStream
    from av.video.frame import VideoFrame


# Of these libavcodec leaves frames undecoded on which no other frame depends, so that all others stay what they are.
_SKIPPING_CODECS = ("h264", "hevc")


class PyavReader(GivesTensors):
    """Reads with PyAV on one thread; index i is the i-th frame in presentation order.

    A frame is reached from the key frame before it and known by its timestamp; where timestamps are unknown, by
    counting from the start. On the way to frames with gaps between them, those that are not asked for and on which no
    other depends are left undecoded::

        in the file    I0  P4  B2  b1  b3  P8  B6  b5  b7      asked for 0, 5, 8:
        decoded        I0  P4  B2          P8  B6  b5          b1, b3 and b7 are not

    Args:
        path: the video file.
    """

    def __init__(self, path: Path) -> None:
        self._av = import_av()
        self._path = path
        self._packets = packets = list_packets(path)
        self._facts = packets.facts
        self.num_frames = packets.facts.num_frames
        self.fps = packets.facts.fps
        self._pts, self._key_frames = packets.pts, packets.key_frames
        self._index_of_pts: dict[int | None, int] = {pts: i for i, pts in enumerate(packets.pts)}
        self._next_index = 0  # of the frame that decoding gives next
        self._last_asked = -1
        self._needed: set[int | None] = set()  # timestamps that are decoded in any case; none: all are
        self._to_rgb: Graph | None = None
        self._decoded: Iterator[VideoFrame] = iter(())
        self._open()

    @property
    def info(self) -> VideoInfo:
        """All facts; decodes the first frame, which carries the rotation tag."""
        height_px, width_px = self.pixels([0]).shape[-2:]
        return VideoInfo(self.num_frames, self.fps, height_px, width_px, self._facts.codec)

    @property
    def frame_seconds(self) -> list[float]:
        """When each frame is shown."""
        return self._packets.frame_seconds

    def pixels(self, indices: Sequence[int]) -> Frames:
        """The frames at ``indices``, ``(T, 3, H, W)`` uint8."""
        self._need(set(indices))
        try:
            picture_of = {i: self._picture(i) for i in sorted(set(indices))}
        except self._av.FFmpegError as error:
            raise DecodeError(first_line(error)) from error
        return np.stack([picture_of[i] for i in indices]).transpose(0, 3, 1, 2)

    def close(self) -> None:
        """Close the file, and end the converter's threads at once: in a forked child that would wait for ever."""
        self._decoded = iter(())
        self._to_rgb = None
        self._container.close()

    def _need(self, indices: set[int]) -> None:
        """Say which frames are asked for; after frames were left undecoded, decoding starts again at a key frame.

        Neighbours that go on where decoding stands leave nothing out, and neither do requests that follow each other in
        order of time, so that a whole file is decoded once.
        """
        first = min(indices)
        is_forward = first > self._last_asked >= 0
        goes_on = is_forward or (first == self._next_index and max(indices) - first < len(indices))
        self._last_asked = max(indices)
        if self._needed:
            self._next_index = self.num_frames  # behind every frame
        self._needed.clear()
        if self._pts and self._facts.codec in _SKIPPING_CODECS and not goes_on:
            self._needed.update(self._pts[index] for index in indices)

    def _picture(self, index: int) -> NDArray[np.uint8]:
        """Frame ``index`` as ``(H, W, 3)`` uint8, upright."""
        key_frame = self._key_frames[bisect_right(self._key_frames, index) - 1]
        if not key_frame <= self._next_index <= index:
            self._start_at(key_frame)
        while True:
            frame = next(self._decoded, None)
            found = None if frame is None else self._index_of(frame)
            if frame is not None and found == index:
                return self._upright_rgb(frame)
            if found is None or found > index:
                if key_frame == 0:
                    raise DecodeError(f"frame {index} cannot be decoded; the file may be cut off or damaged")
                key_frame = 0  # the seek went past the frame: decode from the start
                self._start_at(0)

    def _index_of(self, frame: VideoFrame) -> int | None:
        """The place of a frame that was just decoded; None where its timestamp is not one of the packets'."""
        index = self._index_of_pts.get(frame.pts) if self._pts else self._next_index
        if index is not None:
            self._next_index = index + 1
        return index

    def _start_at(self, key_frame: int) -> None:
        """Make decoding go on from a key frame: by a seek, or by opening the file again for the first one."""
        if key_frame > 0:
            try:
                self._container.seek(self._pts[key_frame], stream=self._stream)
            except self._av.FFmpegError:
                self._key_frames = [0]  # files without any index, such as raw Motion JPEG, are read in order
            else:
                self._decode_from(key_frame)
                return
        self.close()
        self._open()

    def _open(self) -> None:
        self._container, self._stream = open_best_stream(self._path)
        self._decode_from(0)

    def _decode_from(self, index: int) -> None:
        num_forgiven = self._packets.num_before_key if index == 0 else 0
        self._decoded = _decode(self._container, self._stream, self._needed, num_forgiven)
        self._next_index = index

    def _upright_rgb(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """A decoded frame as ``(H, W, 3)`` uint8, turned by its rotation tag, which PyAV leaves to the caller.

        Colours are converted by a filter graph as in the other decoders; ``VideoFrame.to_ndarray`` differs from them by
        2 of 255 where the video is interlaced or has 10 bits.
        """
        graph = self._to_rgb
        if graph is None:
            graph = self._to_rgb = self._av.filter.Graph()
            graph.link_nodes(
                graph.add_buffer(template=self._stream),
                graph.add("format", "rgb24"),
                graph.add("buffersink"),
            ).configure()
        graph.vpush(frame)
        rgb = graph.vpull().to_ndarray()  # (H, W, 3)
        if frame.rotation % 90:
            raise DecodeError(f"has a rotation tag of {frame.rotation} degrees; only multiples of 90 are known")
        return np.rot90(rgb, frame.rotation // 90)


def _decode(
    container: InputContainer, stream: VideoStream, needed: Set[int | None], num_forgiven: int
) -> Iterator[VideoFrame]:
    """The frames from here on; those that nothing depends on only where they are needed, or none is named.

    It knows nothing of the reader, which so is gone with its last user, not with the next collection of garbage.

    Args:
        container: open, at the place where decoding starts.
        stream: the one to decode.
        needed: timestamps of the frames to decode in any case.
        num_forgiven: packets from here on that may be errors, since they depend on others that were cut off.
    """
    num_sent = 0
    for packet in container.demux(stream):
        is_wanted = not needed or packet.pts is None or packet.pts in needed
        stream.codec_context.skip_frame = "DEFAULT" if is_wanted else "NONREF"
        num_sent += bool(packet.size)
        try:
            yield from packet.decode()
        except import_av().FFmpegError:
            if num_sent > num_forgiven:
                raise
