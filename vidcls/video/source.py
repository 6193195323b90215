"""Where the bytes of a video are: in a file, or in memory; or the frames themselves, in memory.

A decoder needs a file, and is checked against what a file may hold. So bytes in memory become a file that has no name
for others while they are read::

    open_video("clip.mp4")                              a file
    open_video("s3://bucket/clip.mp4")                  an object, after vidcls.allow_remote("s3")
    open_video(response.content)                        bytes
    open_video(upload.file)                             an open file, read from where it stands
    open_video(frames)                                  frames of a program, (T, H, W, 3) uint8, at 25 per second
    open_video(FramesInMemory(frames, fps=30.0))        the same, (T, 3, H, W), at another rate
"""

from __future__ import annotations

import errno
import io
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from vidcls.errors import DecodeError
from vidcls.remote.addresses import is_address, normal
from vidcls.remote.permission import check_allowed
from vidcls.remote.places import as_text
from vidcls.video.memory_reader import MemoryReader
from vidcls.video.remote_file import RemoteFile
from vidcls.video.shared_fields import SharedFields
from vidcls.video.video_reader import is_tensor

if TYPE_CHECKING:
    from torch import Tensor

Stamp = tuple[int, int]
"""The size of a video in bytes, and a number that is another one when the video has changed (a file's date in ns)."""


@runtime_checkable
class VideoSource(Protocol):
    """Where a video is and how to get at it; hashable. A further kind of place is one more class here."""

    @property
    def name(self) -> str:
        """What messages and files call it: a path, or an address."""

    def stamp(self) -> Stamp | None:
        """What tells at little cost whether it is as it was; None where it is not there."""

    @property
    def is_lasting(self) -> bool:
        """Whether name and stamp know it again after this process, so that what is found out of it may be kept."""

    def open(self) -> BinaryIO:
        """Its bytes, to be read from any place on, in a ``with`` block.

        Raises:
            OSError: it cannot be read.
        """

    def local_file(self) -> AbstractContextManager[Path]:
        """A file of the video on this machine, as long as the block lasts.

        Raises:
            DecodeError: there is none, or it is empty.
        """


def file_stamp(path: str | Path) -> Stamp | None:
    """The stamp of a file of this machine, see :meth:`VideoSource.stamp`."""
    try:
        status = os.stat(path)  # noqa: PTH116 - half the time of Path.stat, for millions of files
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


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

    def __str__(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def is_lasting(self) -> bool:
        """It stays on its disk."""
        return True

    def stamp(self) -> Stamp | None:
        """See :meth:`VideoSource.stamp`."""
        return file_stamp(self.path)

    def open(self) -> BinaryIO:
        """See :meth:`VideoSource.open`."""
        return self.path.open("rb")

    def local_file(self) -> AbstractContextManager[Path]:
        """See :meth:`VideoSource.local_file`."""
        if self.path.is_dir():
            raise DecodeError(
                f"{self.name}: is a folder: pass one video at a time, as in: for path in "
                "sorted(pathlib.Path(folder).rglob('*.mp4')): ..."
            )
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

    def __str__(self) -> str:
        """The name."""
        return self.name

    @property
    def is_lasting(self) -> bool:
        """They go with the process."""
        return False

    def stamp(self) -> Stamp:
        """They never change."""
        return len(self.content), 0

    def open(self) -> BinaryIO:
        """See :meth:`VideoSource.open`."""
        return io.BytesIO(self.content)

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
        frames: ``(T, 3, H, W)`` uint8 RGB, a tensor or an array.
        fps: frames per second.
        name: what messages call it.
        shared_fields: the flow that they have in common with the window of a stream before them; None shares none.
    """

    frames: Tensor | NDArray[np.uint8]
    fps: float = 25.0
    name: str = "(frames in memory)"
    shared_fields: SharedFields | None = None

    def __str__(self) -> str:
        """The name."""
        return self.name

    @property
    def is_lasting(self) -> bool:
        """They go with the process."""
        return False

    def stamp(self) -> Stamp:
        """They are taken not to change."""
        return self.frames.nbytes, 0

    def open(self) -> BinaryIO:
        """There are no bytes of a file."""
        raise OSError(errno.ENOTSUP, "frames in memory have no bytes of a file", self.name)

    def reader(self) -> MemoryReader:
        """The reader of the frames.

        Raises:
            ValueError: they have another shape or type.
        """
        return MemoryReader(self.frames, fps=self.fps)

    def local_file(self) -> AbstractContextManager[Path]:
        """There is none."""
        raise DecodeError(f"{self.name}: are frames, for which there is no file; write them with vidcls.write_video")


def source_at(text: str, *, asks: bool = True) -> VideoSource:
    """The video at a path of this machine, or at an address.

    Args:
        text: the path, or the address.
        asks: whether permission is asked for; not where whoever keeps the address has asked before.

    Raises:
        ConfigurationError: an address whose protocol is not read or was not allowed; the message names the option.
    """
    if not is_address(text):
        return LocalFile(Path(text))
    if asks:
        check_allowed(text)
    return RemoteFile(normal(text))


def path_or_name(source: VideoSource) -> Path | str:
    """What a result says of a video: the path of a file, or the address of an object as it may be shown."""
    return source.name if isinstance(source, RemoteFile) else Path(source.name)


AnyVideo: TypeAlias = "str | PathLike[str] | bytes | BinaryIO | VideoSource | NDArray[np.uint8] | Tensor"
"""A path or address, bytes of a file, an open binary file, frames ``(T, H, W, 3)`` uint8 RGB, or a `VideoSource`."""


def source_of(video: AnyVideo) -> VideoSource:
    """What a path, bytes, an open file or an array of frames mean; a source is what it is.

    Raises:
        ConfigurationError: an address that may not be read.
        TypeError: it is none of them.
        ValueError: frames have another shape or type.
    """
    if isinstance(video, str | PathLike):
        return source_at(as_text(video))
    if isinstance(video, bytes | bytearray | memoryview):
        return BytesInMemory(bytes(video))
    if isinstance(video, VideoSource):
        return video
    if isinstance(video, np.ndarray) or is_tensor(video):
        return _frames(video)
    if hasattr(video, "read"):
        name = getattr(video, "name", None)
        content = video.read()
        if not isinstance(content, bytes):
            raise TypeError(f"the open file {name} gives {type(content).__name__}; open it in binary mode ('rb')")
        return BytesInMemory(content, name) if isinstance(name, str) else BytesInMemory(content)
    if isinstance(video, list | tuple | set | Iterator):
        raise TypeError(f"a video is one path, not a {type(video).__name__}: pass them one at a time, in a loop")
    raise TypeError(
        "a video is a path, bytes, an open binary file, frames (T, H, W, 3) or a VideoSource, not "
        f"{type(video).__name__}"
    )


def _frames(frames: Tensor | NDArray[np.uint8]) -> FramesInMemory:
    if (
        str(frames.dtype).removeprefix("torch.") != "uint8"
        or frames.ndim != 4
        or frames.shape[-1] != 3
        or len(frames) == 0
    ):
        raise ValueError(
            f"frames are {tuple(frames.shape)} {frames.dtype}; expected (T, H, W, 3) uint8 RGB with T >= 1; for "
            "(T, 3, H, W), or another rate than 25 frames per second, use vidcls.video.FramesInMemory"
        )
    upright = frames.permute(0, 3, 1, 2) if is_tensor(frames) else np.moveaxis(np.asarray(frames), -1, 1)
    return FramesInMemory(upright)  # (T, 3, H, W)
