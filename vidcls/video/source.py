"""Where the bytes of a video are: in a file, or in memory; or the frames themselves, in memory.

A decoder needs a file, and is checked against what a file may hold. So bytes in memory become a file that has no name
for others while they are read::

    open_video("clip.mp4")                              a file
    open_video(response.content)                        bytes
    open_video(upload.file)                             an open file, read from where it stands
    open_video(FramesInMemory(frames, fps=30.0))        frames of a program, (T, 3, H, W) uint8
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

from torch import Tensor

from vidcls.errors import DecodeError
from vidcls.video.memory_reader import MemoryReader


@runtime_checkable
class VideoSource(Protocol):
    """A video that can be opened; a further kind of place is one more class here."""

    @property
    def name(self) -> str:
        """What messages call it."""

    def local_file(self) -> AbstractContextManager[Path]:
        """A file of the video on this machine, as long as the block lasts.

        Raises:
            DecodeError: there is none, or it is empty.
        """


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of this machine.

    Args:
        path: of the file.
    """

    path: Path

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    def local_file(self) -> AbstractContextManager[Path]:
        """See :meth:`VideoSource.local_file`."""
        if not self.path.is_file():
            raise DecodeError(f"{self.name}: no such file; check the path")
        if self.path.stat().st_size == 0:
            raise DecodeError(f"{self.name}: the file is empty; copy or download it again")
        return nullcontext(self.path)


@dataclass(frozen=True, slots=True)
class BytesInMemory:
    """The content of a video file.

    Args:
        content: all of it.
        name: what messages call it.
    """

    content: bytes
    name: str = "(bytes in memory)"

    @contextmanager
    def local_file(self) -> Iterator[Path]:
        """See :meth:`VideoSource.local_file`; the file is in the system's folder of temporary files."""
        if not self.content:
            raise DecodeError(f"{self.name}: has no bytes; expected the content of a video file")
        with tempfile.TemporaryDirectory(prefix="vidcls-") as folder:  # Windows opens no open file
            path = Path(folder) / "video"
            path.write_bytes(self.content)
            yield path


@dataclass(frozen=True, slots=True, eq=False)
class FramesInMemory:
    """Frames of a program, which need no decoder.

    Args:
        frames: ``(T, 3, H, W)`` uint8 RGB.
        fps: frames per second.
        name: what messages call it.
    """

    frames: Tensor
    fps: float = 25.0
    name: str = "(frames in memory)"

    def reader(self) -> MemoryReader:
        """The reader of the frames.

        Raises:
            ValueError: they have another shape or type.
        """
        return MemoryReader(self.frames, fps=self.fps)

    def local_file(self) -> AbstractContextManager[Path]:
        """There is none."""
        raise DecodeError(f"{self.name}: are frames, for which there is no file; write them with vidcls.write_video")


AnyVideo = str | PathLike[str] | bytes | BinaryIO | VideoSource


def source_of(video: AnyVideo) -> VideoSource:
    """What a path, bytes or an open file mean; a source is what it is.

    Raises:
        TypeError: it is none of them.
    """
    if isinstance(video, str | PathLike):
        return LocalFile(Path(video))
    if isinstance(video, bytes | bytearray | memoryview):
        return BytesInMemory(bytes(video))
    if isinstance(video, VideoSource):
        return video
    if hasattr(video, "read"):
        name = getattr(video, "name", None)
        content = video.read()
        if not isinstance(content, bytes):
            raise TypeError(f"the open file {name} gives {type(content).__name__}; open it in binary mode ('rb')")
        return BytesInMemory(content, name) if isinstance(name, str) else BytesInMemory(content)
    raise TypeError(f"a video is a path, bytes, an open binary file or a VideoSource, not {type(video).__name__}")
