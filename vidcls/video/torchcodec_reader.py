"""A video file -> frames by torchcodec, an extra that needs FFmpeg's libraries on the system."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from torch import Tensor

from vidcls.errors import DecodeError, MissingExtraError
from vidcls.types import VideoInfo
from vidcls.video.packets import first_line, settle_fps

INSTALL = "run: pip install 'vidcls[torchcodec]', and install FFmpeg's libraries (Debian, Ubuntu: apt install ffmpeg)"


class TorchcodecReader:
    """Reads with torchcodec on one thread, every index found exactly by a scan of the file; applies rotation tags.

    Args:
        path: the video file.
    """

    def __init__(self, path: Path) -> None:
        torchcodec = _import_torchcodec()
        try:
            self._decoder = torchcodec.decoders.VideoDecoder(str(path), num_ffmpeg_threads=1, seek_mode="exact")
        except (RuntimeError, ValueError) as error:
            raise DecodeError(_reason(error)) from error
        self._metadata = self._decoder.metadata
        self.num_frames = int(self._metadata.num_frames or 0)
        if self.num_frames == 0:
            raise DecodeError("the video stream has no frame")

    @property
    def fps(self) -> float:
        """Average frames per second."""
        return settle_fps(float(self._metadata.average_fps_from_header or 0), float(self._metadata.average_fps or 0))

    @property
    def info(self) -> VideoInfo:
        """All facts; decodes the first frame, whose size is the upright one."""
        height_px, width_px = self.frames([0]).shape[-2:]
        return VideoInfo(self.num_frames, self.fps, height_px, width_px, self._metadata.codec or "unknown")

    def frames(self, indices: Sequence[int]) -> Tensor:
        """The frames at ``indices``, ``(T, 3, H, W)`` uint8."""
        try:
            batch: Tensor = self._decoder.get_frames_at(indices=list(indices)).data
        except (RuntimeError, ValueError, IndexError) as error:
            raise DecodeError(_reason(error)) from error
        return batch

    def close(self) -> None:
        """Free the decoder, which torchcodec ties to the life of its object."""
        self._decoder = None


def _import_torchcodec() -> ModuleType:
    try:
        import torchcodec
    except (ImportError, OSError, RuntimeError) as error:
        raise MissingExtraError(f"torchcodec cannot be imported ({_reason(error)}); {INSTALL}") from error
    if torchcodec.ffmpeg_major_version is None:  # it imports without FFmpeg, but then decodes images only
        raise MissingExtraError(f"torchcodec does not find FFmpeg's libraries; {INSTALL}")
    return torchcodec


def _reason(error: Exception) -> str:
    """The first line of torchcodec's message without the place in its source."""
    return re.sub(r"^\w+, \S+:\d+, ", "", first_line(error))
