"""A video file -> frames by decord (the package ``decord2``), the default decoder."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor

from vidcls.errors import DecodeError, MissingExtraError
from vidcls.types import VideoInfo
from vidcls.video.pyav_reader import codec_name


class DecordReader:
    """Reads with decord on one thread, which is what a loader's worker wants; applies rotation tags by itself.

    Args:
        path: the video file.
    """

    def __init__(self, path: Path) -> None:
        decord = _import_decord()
        self._path = path
        self._errors: tuple[type[Exception], ...] = (
            decord.DECORDError,
            decord.DECORDLimitReachedError,
            RuntimeError,
            AssertionError,  # how decord says that a file has no frame
        )
        try:
            # A fault_tol of less than one frame: never a neighbour in place of a frame that cannot be decoded.
            self._decoder = decord.VideoReader(str(path), num_threads=1, fault_tol=1e-9)
        except self._errors as error:
            raise DecodeError(_reason(error)) from error
        self.num_frames: int = len(self._decoder)

    @property
    def fps(self) -> float:
        """Average frames per second as the container states it."""
        return float(self._decoder.get_avg_fps())

    @property
    def info(self) -> VideoInfo:
        """All facts; decodes the first frame for its size and opens the file once more for the codec's name."""
        height_px, width_px = self.frames([0]).shape[-2:]
        return VideoInfo(self.num_frames, self.fps, height_px, width_px, codec_name(self._path))

    def frames(self, indices: Sequence[int]) -> Tensor:
        """The frames at ``indices``, ``(T, 3, H, W)`` uint8."""
        try:
            batch = self._decoder.get_batch(list(indices)).asnumpy()  # (T, H, W, 3)
        except self._errors as error:
            raise DecodeError(_reason(error)) from error
        return torch.from_numpy(batch).permute(0, 3, 1, 2)

    def close(self) -> None:
        """Free the decoder's memory, which decord ties to the life of its object."""
        self._decoder = None


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
        import decord
    except (ImportError, OSError) as error:
        raise MissingExtraError(f"decord cannot be imported ({error}); run: pip install decord2") from error
    finally:
        vars(ctypes)["RTLD_GLOBAL"] = global_flag
    decord.logging.set_level(decord.logging.QUIET)
    return decord


def _reason(error: Exception) -> str:
    """The first line of decord's message without the time and the place in its source."""
    first_line = (str(error).strip().splitlines() or ["no reason given"])[0]
    return re.sub(r"^(\[[\d:]+\] \S+:\d+: )+", "", first_line)
