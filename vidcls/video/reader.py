"""A video file -> upright RGB frames, read by the first decoder that can.

Three decoders stand behind one protocol. ``open_video`` tries them in order, both for opening and for reading, so that
a file which one of them refuses is still read by the next::

    with open_video("clip.mp4") as video:
        video.num_frames, video.fps        # cheap, all that sampling needs
        rgb = video.frames([0, 4, 8])      # (3, 3, H, W) uint8
        video.frame_seconds                # when each is shown: reads the file without decoding it
        video.info                         # height, width and codec too: decodes a frame, so not for every sample
"""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from operator import index as as_index
from pathlib import Path
from types import TracebackType
from typing import Literal, TypeVar, get_args

import numpy as np

from vidcls.errors import DecodeError, MissingExtraError, NotAVideoError
from vidcls.types import VideoInfo
from vidcls.video.decord_reader import DecordReader
from vidcls.video.jpeg_reader import SUFFIX as JPEG_SUFFIX
from vidcls.video.jpeg_reader import JpegReader
from vidcls.video.pyav_reader import PyavReader
from vidcls.video.remote_file import RemoteFile
from vidcls.video.source import AnyVideo, FramesInMemory, LocalFile, VideoSource, source_of
from vidcls.video.torchcodec_reader import TorchcodecReader
from vidcls.video.video_reader import Frames, GivesTensors, VideoReader

Backend = Literal["decord", "torchcodec", "pyav", "jpeg"]

MEMORY = "memory"

Result = TypeVar("Result")


# In the order in which they are tried. A new decoder is one file with one class, and one line here and in Backend.
# Files of JPEG pictures that are named as such (``vidcls data prepare`` writes them) have a reader before these.
BACKENDS: dict[Backend, Callable[[Path], VideoReader]] = {
    "decord": DecordReader,
    "torchcodec": TorchcodecReader,
    "pyav": PyavReader,
}
_READERS: dict[Backend, Callable[[Path], VideoReader]] = {"jpeg": JpegReader}

TEXT_BYTES = 512  # from the start of a file
TEXT = frozenset((*b"\t\n\f\r", *range(0x20, 0x7F), *range(0x80, 0x100)))  # no control characters; UTF-8 has high bytes


class DecoderFallbackWarning(UserWarning):
    """A video was read, but not by the decoder that comes first."""


class Video(GivesTensors):
    """One open video file, read by the first of several decoders that can; made by ``open_video``.

    Args:
        source: where the video is.
        backends: the decoders to try, in this order; frames in memory need none.
    """

    def __init__(self, source: VideoSource | Path, backends: Sequence[Backend]) -> None:
        self.source = LocalFile(source) if isinstance(source, Path) else source
        """Where the video is."""
        self.name = self.source.name
        """What messages call it."""
        self.fallbacks = 0
        """How often another decoder took over, 0 for an intact file; callers add these up."""
        self._backends = (MEMORY,) if isinstance(self.source, FramesInMemory) else tuple(backends)
        self.backend: str = self._backends[0]
        """The decoder in use; ``memory`` where there is nothing to decode."""
        self._local = ExitStack()
        self._reader: VideoReader | None = None
        self._reasons: dict[str, str] = {}
        self._closed = False
        self.path = Path(self.name)
        """The file that is read; for frames in memory, their name."""
        if self.backend != MEMORY:
            self.path = self._local.enter_context(self.source.local_file())
        try:
            self._num_frames, self._fps = self._attempt(lambda reader: (reader.num_frames, reader.fps))
        except BaseException:
            self._local.close()
            raise

    @property
    def num_frames(self) -> int:
        """Number of frames, as stated by the first decoder that could open the file, whichever reads it later."""
        return self._num_frames

    @property
    def fps(self) -> float:
        """Average frames per second, 0 where the file states none."""
        return self._fps

    @property
    def info(self) -> VideoInfo:
        """All facts, upright. Decodes one frame; use ``num_frames`` and ``fps`` where those are enough.

        Raises:
            DecodeError: no decoder can read the file.
        """
        return replace(self._attempt(lambda reader: reader.info), num_frames=self._num_frames, fps=self._fps)

    @property
    def frame_seconds(self) -> list[float]:
        """When each of the ``num_frames`` frames is shown, in seconds after frame 0, which has 0.0; never falling.

        True for variable rates too, where ``index / fps`` is not. Reads the whole file without decoding it.

        Raises:
            DecodeError: the file states neither the times of its frames nor a frame rate; names the file.
        """
        return self._attempt(lambda reader: reader.frame_seconds)

    def pixels(self, indices: Sequence[int]) -> Frames:
        """The frames at ``indices``, in the order asked, as an array ``(T, 3, H, W)`` uint8 RGB, upright.

        Indices may repeat and need not be sorted; nothing is promised about the memory layout of the result.
        :meth:`frames` gives the same as a tensor.

        Raises:
            ValueError: no index is given.
            IndexError: an index is negative or not below ``num_frames``.
            DecodeError: no decoder can read these frames; names the file and each reason.
        """
        wanted = [as_index(i) for i in indices]
        if not wanted:
            raise ValueError(f"{self.name}: no frame indices given; ask for at least one")
        for i in wanted:
            if not 0 <= i < self._num_frames:
                raise IndexError(f"{self.name}: frame {i} does not exist; indices go from 0 to {self._num_frames - 1}")
        return self._attempt(lambda reader: _checked_frames(reader, wanted))

    def close(self) -> None:
        """Release the file; a closed video cannot be read any more."""
        self._closed = True
        self._close_reader()
        self._local.close()

    def __enter__(self) -> Video:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _attempt(self, action: Callable[[VideoReader], Result]) -> Result:
        """What ``action`` returns for the reader in use, or for the first of those after it that succeeds."""
        if self._closed:
            raise ValueError(f"{self.name}: this video is closed; read inside the `with` block")
        for backend in self._backends[self._backends.index(self.backend) :]:
            try:
                if self._reader is None:
                    self._reader = self._opened_by(backend)
                result = action(self._reader)
            except NotAVideoError as error:
                self._close_reader()
                raise NotAVideoError(f"{self.name}: {error}", reason=str(error)) from error
            except (DecodeError, MissingExtraError) as error:
                if isinstance(error, MissingExtraError) and len(self._backends) == 1:
                    raise
                self._reasons[backend] = str(error)
                self._close_reader()
                continue
            if backend != self.backend:
                self.backend = backend
                self._warn_of_fallback()
            return result
        reasons, self._reasons = self._reasons, {}
        self.backend = self._backends[0]
        listed = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        raise DecodeError(f"{self.name}: cannot be decoded ({listed}); {_advice(self.source)}", reason=listed)

    def _opened_by(self, backend: str) -> VideoReader:
        if isinstance(self.source, FramesInMemory):
            return self.source.reader()
        openers: dict[str, Callable[[Path], VideoReader]] = {**_READERS, **BACKENDS}  # type: ignore[dict-item]
        return openers[backend](self.path)

    def _warn_of_fallback(self) -> None:
        self.fallbacks += 1
        listed = "; ".join(f"{name}: {reason}" for name, reason in self._reasons.items())
        message = f"{self.name}: read by {self.backend} instead of {self._backends[0]} ({listed})"
        warnings.warn(message, DecoderFallbackWarning, stacklevel=4)

    def _close_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None


def open_video(source: AnyVideo, backend: Backend | None = None) -> Video:
    """One open video, to be used in a ``with`` block; open it inside the worker that reads it.

    Args:
        source: the path of a file, the bytes of one, an open binary file, or any
            :class:`vidcls.video.source.VideoSource`.
        backend: the one decoder to use; None tries decord, torchcodec and PyAV in this order, also when frames cannot
            be read, with a ``DecoderFallbackWarning`` that ``Video.fallbacks`` counts; before them, of files called
            ``.jpeg.avi``, the reader of JPEG pictures.

    Raises:
        NotAVideoError: the file is a playlist that names other files, an image or audio; such are never read.
        DecodeError: the file is missing, or no decoder can open it; names the file and each reason.
        MissingExtraError: the decoder asked for is not installed.
    """
    if backend is not None and backend not in get_args(Backend):
        raise ValueError(f"backend is {backend!r}; allowed are {', '.join(get_args(Backend))} and None")
    found = source_of(source)
    if backend is not None:
        return Video(found, (backend,))
    return Video(found, (*(("jpeg",) if found.name.endswith(JPEG_SUFFIX) else ()), *BACKENDS))


def _advice(source: VideoSource) -> str:
    if is_text(source):
        return "it is text, not a video: check the path, or download it again"
    if isinstance(source, RemoteFile):
        return "upload it again, or remove it from the data set"
    if not isinstance(source, LocalFile):
        return "re-encode it with ffmpeg"
    return f"re-encode it with `ffmpeg -i {shlex.quote(source.name)} out.mp4`, or remove it from the data set"


def is_text(source: VideoSource) -> bool:
    """Whether a file begins as no video does, with readable characters alone, such as a page in place of a download."""
    try:
        with source.open() as file:
            start = file.read(TEXT_BYTES)
    except OSError:
        return False
    return bool(start) and all(byte in TEXT for byte in start)


def _checked_frames(reader: VideoReader, wanted: list[int]) -> Frames:
    """The frames of one reader, or a DecodeError where it has fewer or hands back something else."""
    if max(wanted) >= reader.num_frames:
        raise DecodeError(f"finds {reader.num_frames} frames only, frame {max(wanted)} was asked for")
    frames = reader.pixels(wanted)  # (T, 3, H, W)
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[:2] != (len(wanted), 3):
        raise DecodeError(f"gave {tuple(frames.shape)} {frames.dtype} for {len(wanted)} RGB frames")
    return frames
