"""An AVI file of JPEG pictures -> frames: each is read and decoded alone, in a tenth of the time of a video decoder."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vidcls.errors import DecodeError, first_line
from vidcls.types import VideoInfo
from vidcls.video.packets import even_seconds
from vidcls.video.video_reader import Frames, GivesTensors

SUFFIX = ".jpeg.avi"
"""Files of this name are tried with this reader first; ``vidcls data prepare`` writes them."""
ENTRY_BYTES = 16
END_OF_IMAGE = b"\xff\xd9"
MOST_PIXELS = 2**26  # twice those of 8K
_HEADER_BYTES = 64 * 1024  # the headers before the pictures; FFmpeg's take 10 KiB


class AviFacts(NamedTuple):
    """What the headers of an AVI file say: FourCC of the codec, frames, rate, size, and where the pictures begin."""

    codec: bytes
    num_frames: int
    fps: float
    height_px: int
    width_px: int
    movie_start: int


class JpegReader(GivesTensors):
    """Reads Motion JPEG in AVI (the RIFF form with one index, up to 1 GB) by the index at the end of the file.

    Of the frames that are asked for, and of no others, bytes are read. An ordinary Motion JPEG file, which every
    player shows and every other reader of ours reads as well. Format: Microsoft, AVI RIFF File Reference.

    Args:
        path: the video file.
    """

    def __init__(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise DecodeError(f"cannot be read ({error})") from error
        try:
            self._facts = _facts(self._bytes)
            self._starts, self._sizes = _index(self._bytes, self._facts.movie_start)
        except DecodeError:
            self.close()
            raise
        self.num_frames = len(self._starts)
        if self.num_frames != self._facts.num_frames:
            self.close()
            raise DecodeError(f"states {self._facts.num_frames} frames, but its index has {self.num_frames}")
        self.fps = self._facts.fps

    @property
    def info(self) -> VideoInfo:
        """All facts; decodes nothing."""
        return VideoInfo(self.num_frames, self.fps, self._facts.height_px, self._facts.width_px, "mjpeg")

    @property
    def frame_seconds(self) -> list[float]:
        """When each frame is shown: evenly."""
        return even_seconds(self.num_frames, self.fps)

    def pixels(self, indices: Sequence[int]) -> Frames:
        """The frames at ``indices``, ``(T, 3, H, W)`` uint8."""
        import cv2  # its libjpeg gives the numbers of torchvision's in two thirds of the time

        distinct = sorted(set(indices))
        pictures: np.ndarray | None = None
        for k, index in enumerate(distinct):
            try:
                picture = cv2.imdecode(np.frombuffer(self.encoded(index), dtype=np.uint8), cv2.IMREAD_COLOR_RGB)
            except cv2.error as error:
                raise DecodeError(f"has a damaged picture, number {index} ({first_line(error)})") from error
            if picture is None:
                raise DecodeError(f"has a damaged picture, number {index}")
            if picture.shape != (self._facts.height_px, self._facts.width_px, 3):
                raise DecodeError(f"has pictures of different sizes, number {index} among them")
            if pictures is None:  # not before a picture was seen: a damaged header may promise any size
                pictures = np.empty((len(distinct), *picture.shape), dtype=np.uint8)
            pictures[k] = picture
        assert pictures is not None, "callers ask for at least one frame"
        frames = pictures.transpose(0, 3, 1, 2)
        if list(indices) == distinct:
            return frames
        place = {index: k for k, index in enumerate(distinct)}
        return pictures[[place[index] for index in indices]].transpose(0, 3, 1, 2)

    def encoded(self, index: int) -> bytes:
        """Frame ``index`` as it lies in the file, a whole JPEG picture."""
        start, size = int(self._starts[index]), int(self._sizes[index])
        content = self._bytes[start : start + size]
        if content.rstrip(b"\0")[-2:] != END_OF_IMAGE:
            raise DecodeError(f"has a picture that is cut off, number {index}")
        return content

    def close(self) -> None:
        """Let the file go; frames that were read stay."""
        self._bytes.close()


def _facts(data: mmap.mmap) -> AviFacts:
    if data[:4] != b"RIFF" or data[8:12] != b"AVI ":
        raise DecodeError("is no AVI file")
    head = data[:_HEADER_BYTES]
    stream, form, movie = head.find(b"strh"), head.find(b"strf"), head.find(b"movi")
    while stream >= 0 and head[stream + 8 : stream + 12] != b"vids":
        stream = head.find(b"strh", stream + 4)
    if stream < 0 or movie < 0:
        raise DecodeError("has no video stream among the headers at its beginning")
    form = head.find(b"strf", stream)
    try:
        scale, rate, _, num_frames = struct.unpack_from("<IIII", head, stream + 8 + 20)
        width, height = struct.unpack_from("<ii", head, form + 8 + 4)
    except struct.error as error:
        raise DecodeError("has headers that are cut off") from error
    codec = head[form + 8 + 16 : form + 8 + 20]
    if codec.upper() != b"MJPG":
        raise DecodeError(f"holds {codec.decode('ascii', 'replace')}, not Motion JPEG")
    if scale == 0 or width <= 0 or height == 0:
        raise DecodeError("has headers without rate or size")
    if width * abs(height) > MOST_PIXELS:  # room for the frames is made by what the header says
        raise DecodeError(f"states pictures of {width}x{abs(height)} px: more than {MOST_PIXELS} pixels are not read")
    return AviFacts(codec, num_frames, rate / scale, abs(height), width, movie)


def _index(data: mmap.mmap, movie_start: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each picture begins and how long it is, in bytes."""
    (movie_bytes,) = struct.unpack_from("<I", data, movie_start - 4)
    at = movie_start + movie_bytes + movie_bytes % 2
    if data[at : at + 4] != b"idx1" or at + 8 > len(data):
        raise DecodeError("has no index behind its pictures: it is cut off, or larger than 1 GB")
    (num_bytes,) = struct.unpack_from("<I", data, at + 4)
    if at + 8 + num_bytes > len(data) or num_bytes % ENTRY_BYTES:
        raise DecodeError("has an index that is cut off")
    entries = np.frombuffer(data[at + 8 : at + 8 + num_bytes], dtype="<u4").reshape(-1, 4)  # name, flags, offset, size
    is_picture = (entries[:, 0] >> 16) == int.from_bytes(b"dc", "little")
    starts, sizes = entries[is_picture, 2].astype(np.int64), entries[is_picture, 3].astype(np.int64)
    if len(starts) == 0:
        raise DecodeError("has no pictures")
    # Offsets count from the word "movi", or from the beginning of the file.
    at = int(starts[0]) + movie_start
    if data[at + 2 : at + 4] == b"dc":
        starts = starts + movie_start
    starts = starts + 8  # behind the name and the size of the chunk
    if (starts + sizes > len(data)).any() or (sizes == 0).any():
        raise DecodeError("has pictures that the file does not hold, or empty ones")
    return starts, sizes
