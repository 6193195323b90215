"""A video file -> frames by decord (the package ``decord2``), the default decoder."""

from __future__ import annotations

import ctypes
import re
import sys
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np

from vidcls.errors import DecodeError, MissingExtraError, first_line
from vidcls.types import VideoInfo
from vidcls.video.containers import utf8_file_name
from vidcls.video.packets import list_packets, stream_facts
from vidcls.video.video_reader import Frames, GivesTensors

LEAP_LEN = 16  # frames that decord is told to skip at a time: it writes a line to stderr wherever it gives up
MOST_VAIN_LEAPS = 20  # without a frame, before the decoder is taken to have no more
# Program and transport streams have no index. decord seeks to their beginning by a search for time stamps, which ends
# behind the first group of pictures, or not, as the multiplexer spaced its packets.
_WITHOUT_INDEX = {"mpeg": "MPEG program streams", "mpegts": "MPEG-TS"}
MOST_STATED = 1000  # frames in the header to each in the file; intact files have 1


class DecordReader(GivesTensors):
    """Reads with decord on one thread, which is what a loader's worker wants; applies rotation tags by itself.

    decord counts frames from the key frame before, which gives the wrong frame in some files, without a word. Those are
    known from their packets and decoded from the start instead.

    Args:
        path: the video file.
    """

    def __init__(self, path: Path) -> None:
        self._decord = _import_decord()
        self._path, self._name = path, utf8_file_name(path)
        self._facts = stream_facts(path)
        if self._facts.container in _WITHOUT_INDEX:
            kind = _WITHOUT_INDEX[self._facts.container]
            raise DecodeError(f"is not trusted with {kind}, whose first frames it loses")
        if self._facts.caveat:
            raise DecodeError(f"is not trusted with {self._facts.caveat}")
        if self._facts.num_stated > MOST_STATED * self._facts.num_frames:
            raise DecodeError(
                f"is not trusted with a header that states {self._facts.num_stated} frames where the file has "
                f"{self._facts.num_frames}: it takes memory for all of them, and ends the process where there is none"
            )
        self._has_exact_seeks = (
            self._facts.has_exact_times
            and self._facts.has_closed_groups
            and not self._facts.has_hidden_frames
            and not self._facts.has_gradual_refresh
        )
        self.num_frames = self._facts.num_frames
        self.fps = self._facts.fps
        self._open()

    @property
    def info(self) -> VideoInfo:
        """All facts; decodes the first frame for its upright size."""
        height_px, width_px = self.pixels([0]).shape[-2:]
        return VideoInfo(self.num_frames, self.fps, height_px, width_px, self._facts.codec)

    @property
    def frame_seconds(self) -> list[float]:
        """When each frame is shown; lists the packets of the file."""
        return list_packets(self._path).frame_seconds

    def pixels(self, indices: Sequence[int]) -> Frames:
        """The frames at ``indices``, ``(T, 3, H, W)`` uint8."""
        try:
            picture_of = {i: self._picture(i) for i in sorted(set(indices))}
        except self._errors as error:
            raise DecodeError(_reason(error)) from error
        return np.stack([picture_of[i] for i in indices]).transpose(0, 3, 1, 2)

    def close(self) -> None:
        """Free the decoder's memory, which decord ties to the life of its object."""
        vars(self).pop("_decoder", None)

    @property
    def _errors(self) -> tuple[type[Exception], ...]:
        """What decord raises; AssertionError and StopIteration where there is no frame, or none any more."""
        decord = self._decord
        return decord.DECORDError, decord.DECORDLimitReachedError, RuntimeError, AssertionError, StopIteration

    def _open(self) -> None:
        """Start decoding at frame 0."""
        try:
            # A fault_tol of less than one frame: never a neighbour in place of a frame that cannot be decoded.
            self._decoder = self._decord.VideoReader(self._name, num_threads=1, fault_tol=1e-9)
        except self._errors as error:
            raise DecodeError(_reason(error)) from error
        if self._has_exact_seeks and len(self._decoder) != self.num_frames:
            raise DecodeError(f"counts {len(self._decoder)} frames where the packets of the file are {self.num_frames}")
        self._next_index = 0
        self._key_frames = [0, *self._decoder.get_key_indices()]

    def _go_to(self, index: int) -> None:
        """Make ``index`` the next frame that decord gives.

        A skip that finds no frame ready ten thousand times over (as where frames are large or the machine is busy, in
        videos of more packets than that) is given up without a word, and the frame that decord then hands out is one on
        the way. So it is asked where it stands, and told to go on until it is there.
        """
        key_frame = self._key_frames[bisect_right(self._key_frames, index) - 1]
        start = self._position if key_frame <= self._position <= index else key_frame
        for waypoint in (*range(start + LEAP_LEN, index, LEAP_LEN), index):
            self._decoder.seek_accurate(waypoint)
            num_vain = 0
            while self._position < waypoint:
                before = self._position
                self._decoder.seek_accurate(waypoint)
                num_vain = num_vain + 1 if self._position == before else 0
                if num_vain > MOST_VAIN_LEAPS:
                    raise DecodeError(f"finds no way to frame {index} behind frame {before}")

    @property
    def _position(self) -> int:
        """The frame that decord decodes next; one more where it keeps a key frame that it looked at."""
        return int(self._decord.video_reader._CAPI_VideoReaderGetCurrentPosition(self._decoder._handle))

    def _picture(self, index: int) -> np.ndarray:
        """Frame ``index`` as ``(H, W, 3)`` uint8."""
        if self._has_exact_seeks:
            self._go_to(index)
            padded = self._decoder.next().asnumpy()
        else:
            if index < self._next_index:
                self._open()
            for _ in range(index - self._next_index):
                self._decoder.next()  # every frame before it; decord's skip_frames would seek
            padded = self._decoder.next().asnumpy()
            self._next_index = index + 1
        # Of narrow videos decord takes the padding at the end of each row for more channels, (H, W, 4) say, and its
        # get_batch refuses them. The pixels stand at the start of the row.
        H, W, _ = padded.shape
        return padded.reshape(H, -1)[:, : 3 * W].reshape(H, W, 3)


@cache
def _import_decord() -> ModuleType:
    """The decord module, its FFmpeg silenced and its symbols kept to itself.

    decord loads its library with RTLD_GLOBAL, so that libraries loaded later take decord's copies of libdav1d and
    others for their own: torchcodec then crashes on AV1 (seen with decord2 3.4.0 and torchcodec 0.17.0; the cause is
    described in dmlc/decord#361). It does not need that: while it is imported, the flag is the local one.
    """
    global_flag = ctypes.RTLD_GLOBAL
    vars(ctypes)["RTLD_GLOBAL"] = ctypes.RTLD_LOCAL
    try:
        try:
            with _without_cuda_libraries():
                import decord
        except OSError:  # a build that decodes on GPUs
            import decord
    except (ImportError, OSError) as error:
        raise MissingExtraError(f"decord cannot be imported ({error}); run: pip install decord2") from error
    finally:
        vars(ctypes)["RTLD_GLOBAL"] = global_flag
    decord.logging.set_level(decord.logging.QUIET)
    return decord


@contextmanager
def _without_cuda_libraries() -> Iterator[None]:
    """Hide the CUDA libraries of torch: decord2 3.4 loads them all in 0.8 s, for a build that PyPI does not have."""
    if "nvidia" in sys.modules:
        yield
        return
    sys.modules["nvidia"] = None  # type: ignore[assignment]  # as the import system marks what is not there
    try:
        yield
    finally:
        del sys.modules["nvidia"]


def _reason(error: Exception) -> str:
    """The first line of decord's message without the time and the place in its source."""
    return re.sub(r"^(\[[\d:]+\] \S+:\d+: )+", "", first_line(error))
