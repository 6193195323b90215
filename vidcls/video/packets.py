"""A video file -> its packets listed, which tells without decoding how many frames there are and how to reach them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from vidcls.errors import DecodeError, MissingExtraError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

# FFmpeg's names of containers whose presentation times every decoder obeys, as the contract test shows. In the others
# decord or torchcodec land beside the frame that was asked for, without a word. AVI has no presentation times, which
# does no harm where frames are shown in the order of the file.
_TIMED_CONTAINERS = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "gif", "avi")


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """What the packets of a file's best video stream tell."""

    num_frames: int
    """Frames that are to be shown; those that an edit list cuts away are not counted."""
    num_stated: int
    """Frames that the header states, right or wrong; 0 where it does not."""
    fps: float
    codec: str
    container: str
    has_exact_times: bool
    """Whether each frame has a presentation time of its own, and a seek to it ends there."""
    has_closed_groups: bool
    """Whether a frame's place in the file, from the key frame before it on, is its place on the screen.

    Not where frames that follow a key frame in the file are shown before it (open groups of pictures, MPEG-4 with
    B-frames), nor where an edit list hides frames (videos cut without encoding)::

        in the file     I0 P3 B1 B2 | I6 B4 B5 P9 ...      the fifth in the file is the key frame,
        on the screen   0  1  2  3  | 4  5  6  7  ...      but frame 6 on the screen
    """


class _Packet(NamedTuple):
    """What is kept of a packet; FFmpeg's own has its bytes too, so that a list of them would be the whole file."""

    pts: int | None
    duration: int | None
    is_keyframe: bool
    is_discard: bool


@dataclass(frozen=True, slots=True)
class PacketList:
    """The frames of a stream in presentation order."""

    facts: StreamFacts
    pts: list[int]
    """Presentation times in the stream's clock, sorted; empty where they are unknown and frames must be counted."""
    key_frames: list[int]
    """Indices of frames at which decoding may start, sorted; 0 is always one."""
    clock: Fraction
    """Seconds of one tick."""

    @property
    def frame_seconds(self) -> list[float]:
        """When each frame is shown, in seconds after the first one; from the frame rate where times are unknown.

        Raises:
            DecodeError: the file states neither times nor a frame rate; says so, but not of which file.
        """
        if not self.pts:
            return even_seconds(self.facts.num_frames, self.facts.fps)
        return [(pts - self.pts[0]) * self.clock.numerator / self.clock.denominator for pts in self.pts]


def even_seconds(num_frames: int, fps: float) -> list[float]:
    """When each frame is shown, in seconds after the first one, where all are shown for the same time.

    Raises:
        DecodeError: there are several frames and no frame rate; says so, but not of which file.
    """
    if num_frames > 1 and fps <= 0:
        raise DecodeError("states neither a frame rate nor when its frames are shown")
    return [i / fps if i else 0.0 for i in range(num_frames)]


def list_packets(path: Path) -> PacketList:
    """The packets of a file's best video stream; reads the whole file once, decodes nothing.

    Raises:
        DecodeError: the file cannot be opened or has no video; says why, but not of which file.
    """
    av = import_av()
    try:
        container, stream = open_best_stream(path)
        with container:
            packets = [
                _Packet(packet.pts, packet.duration, packet.is_keyframe, packet.is_discard)
                for packet in container.demux(stream)
                if packet.size
            ]
            container_name, is_reordered = str(container.format.name), bool(stream.codec_context.has_b_frames)
            codec = str(stream.codec_context.codec.canonical_name)
            stated_fps = float(stream.average_rate or stream.guessed_rate or 0)
            clock, num_stated = Fraction(stream.time_base or 1), int(stream.frames)
    except av.FFmpegError as error:
        raise DecodeError(first_line(error)) from error
    shown = [packet for packet in packets if not packet.is_discard]
    if not shown:
        raise DecodeError("the video stream has no frame")
    pts = sorted({packet.pts for packet in shown if packet.pts is not None})
    if len(pts) < len(shown) or (container_name == "avi" and is_reordered):
        facts = StreamFacts(
            len(shown), num_stated, stated_fps, codec, container_name, has_exact_times=False, has_closed_groups=False
        )
        return PacketList(facts, pts=[], key_frames=[0], clock=clock)
    place_of: dict[int | None, int] = {time: i for i, time in enumerate(pts)}
    keys = [(i, place_of[packet.pts]) for i, packet in enumerate(shown) if packet.is_keyframe]
    duration = pts[-1] - pts[0] + max((packet.duration or 0 for packet in shown if packet.pts == pts[-1]), default=0)
    counted_fps = len(shown) / float(duration * clock) if duration else 0.0
    facts = StreamFacts(
        len(shown),
        num_stated,
        _settle_fps(stated_fps, counted_fps),
        codec,
        container_name,
        has_exact_times=container_name in _TIMED_CONTAINERS,
        has_closed_groups=len(shown) == len(packets) and all(in_file == on_screen for in_file, on_screen in keys),
    )
    return PacketList(facts, pts, sorted({0} | {on_screen for _, on_screen in keys}), clock)


def stream_facts(path: Path) -> StreamFacts:
    """The facts alone, kept for files seen before, so that a loader's worker lists the packets of a file once."""
    stat = path.stat()
    return _facts_of_version(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=65_536)
def _facts_of_version(path: Path, mtime_ns: int, num_bytes: int) -> StreamFacts:  # noqa: ARG001
    return list_packets(path).facts


def _settle_fps(stated: float, counted: float) -> float:
    """The frame rate of the header, which is exact; frames over duration where it is far off, as for varying rates."""
    return counted if counted and abs(stated - counted) > 0.05 * counted else stated


def open_best_stream(path: Path) -> tuple[InputContainer, VideoStream]:
    """The open file and the best of its video streams, to be decoded on one thread.

    Raises:
        DecodeError: there is no video stream, or none of a codec that is known.
    """
    container = import_av().open(str(path), metadata_errors="replace")  # titles in other encodings than UTF-8
    stream = container.streams.best("video")
    if stream is None:
        container.close()
        raise DecodeError("there is no video stream")
    if stream.codec_context is None:
        container.close()
        raise DecodeError("the video stream has a codec that FFmpeg does not know")
    stream.codec_context.thread_count = 1
    return container, stream


def import_av() -> ModuleType:
    """PyAV, imported when it is first needed.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import av
    except (ImportError, OSError) as error:
        raise MissingExtraError(f"PyAV cannot be imported ({error}); run: pip install av") from error
    return av


def first_line(error: Exception) -> str:
    """The first line of an error's message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].strip()
