"""A video file -> frames by torchcodec, an extra that needs FFmpeg's libraries on the system."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from vidcls.errors import DecodeError, MissingExtraError, first_line
from vidcls.types import VideoInfo
from vidcls.video.containers import utf8_file_name
from vidcls.video.packets import list_packets, stream_facts
from vidcls.video.video_reader import Frames, GivesTensors

INSTALL = "run: pip install 'vidcls[torchcodec]', and install FFmpeg's libraries (Debian, Ubuntu: apt install ffmpeg)"


class TorchcodecReader(GivesTensors):
    """Reads with torchcodec on one thread, every index found exactly by a scan of the file; applies rotation tags.

    Args:
        path: the video file.
    """

    def __init__(self, path: Path) -> None:
        torchcodec = _import_torchcodec()
        self._path, name = path, utf8_file_name(path)
        self._facts = stream_facts(path)
        if not self._facts.has_exact_times:
            raise DecodeError(f"is not trusted to find frames in this kind of {self._facts.container} file")
        if self._facts.caveat:
            raise DecodeError(f"is not trusted with {self._facts.caveat}")
        if self._facts.has_gradual_refresh:
            raise DecodeError("is not trusted with a gradual refresh in place of key frames")
        if self._facts.has_hidden_frames and not self._facts.has_closed_groups:
            raise DecodeError("is not trusted with open groups of pictures that were cut without encoding")
        self.num_frames = self._facts.num_frames
        self.fps = self._facts.fps
        try:
            self._decoder = torchcodec.decoders.VideoDecoder(name, num_ffmpeg_threads=1, seek_mode="exact")
        except (RuntimeError, ValueError) as error:
            raise DecodeError(_reason(error)) from error
        if len(self._decoder) != self.num_frames:
            raise DecodeError(f"counts {len(self._decoder)} frames where the packets of the file are {self.num_frames}")

    @property
    def info(self) -> VideoInfo:
        """All facts; decodes the first frame, whose size is the upright one."""
        height_px, width_px = self.pixels([0]).shape[-2:]
        return VideoInfo(self.num_frames, self.fps, height_px, width_px, self._facts.codec)

    @property
    def frame_seconds(self) -> list[float]:
        """When each frame is shown; lists the packets of the file."""
        return list_packets(self._path).frame_seconds

    def pixels(self, indices: Sequence[int]) -> Frames:
        """The frames at ``indices``, ``(T, 3, H, W)`` uint8."""
        try:
            batch: Frames = self._decoder.get_frames_at(indices=list(indices)).data.numpy()
        except (RuntimeError, ValueError, IndexError) as error:
            raise DecodeError(_reason(error)) from error
        return batch

    def close(self) -> None:
        """Free the decoder, which torchcodec ties to the life of its object."""
        vars(self).pop("_decoder", None)


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
