"""A video file -> its packets listed, which tells without decoding how many frames there are and how to reach them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

from vidcls.errors import DecodeError, NotAVideoError
from vidcls.video.containers import ffmpeg_reason, import_av, open_best_stream
from vidcls.video.recovery_points import frames_to_recovery
from vidcls.video.silent_packets import Packet, first_key_position, silent_positions, starts_without_references

# FFmpeg's names of containers whose presentation times every decoder obeys, as the contract test shows. In the others
# decord or torchcodec land beside the frame that was asked for, without a word. AVI has no presentation times, which
# does no harm where frames are shown in the order of the file.
_TIMED_CONTAINERS = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "gif", "avi")


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """What the packets of a file's best video stream tell."""

    num_frames: int
    """Frames that are to be shown; not those that an edit list cuts away, nor packets that give no frame."""
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
    B-frames)::

        in the file     I0 P3 B1 B2 | I6 B4 B5 P9 ...      the fifth in the file is the key frame,
        on the screen   0  1  2  3  | 4  5  6  7  ...      but frame 6 on the screen
    """
    has_hidden_frames: bool
    """Whether an edit list cuts frames away (videos cut without encoding)."""
    has_gradual_refresh: bool
    """Whether some of the key frames are not right before some frames later, see ``recovery_points``."""
    caveat: str = ""
    """Why PyAV alone is to read it; empty where the others may."""


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
    num_before_key: int
    """Packets before the first key frame in the file: errors in decoding them say nothing."""

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


def stream_facts(path: Path) -> StreamFacts:
    """The facts alone, kept for files seen before, so that a loader's worker lists the packets of a file once."""
    stat = path.stat()
    return _facts_of_version(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=65_536)
def _facts_of_version(path: Path, mtime_ns: int, num_bytes: int) -> StreamFacts:  # noqa: ARG001
    return list_packets(path).facts


def list_packets(path: Path) -> PacketList:
    """The packets of a file's best video stream.

    Reads the whole file once and decodes nothing, but for the first frames of files that may begin with some that
    depend on others which are not there, and for MPEG-4 with empty frames.

    Raises:
        DecodeError: the file cannot be opened or has no video; says why, but not of which file.
    """
    try:
        stat = path.stat()
    except OSError as error:
        raise DecodeError(f"cannot be read ({error})") from error
    return _list_of_version(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=2)  # the decoder that takes over from another needs what that one had
def _list_of_version(path: Path, mtime_ns: int, num_bytes: int) -> PacketList:  # noqa: ARG001
    try:
        stream = _read_stream(path)
        silent = silent_positions(path, stream.packets, stream.codec, has_times=stream.has_order)
    except import_av().FFmpegError as error:
        raise DecodeError(ffmpeg_reason(error)) from error
    places = [i for i, packet in enumerate(stream.packets) if not packet.is_discard and i not in silent]
    if not places:
        raise DecodeError("the video stream has no frame")
    shown = [stream.packets[i] for i in places]
    pts = sorted({packet.pts for packet in shown if packet.pts is not None})
    if len(pts) < len(shown) or not stream.has_order:
        pts = []
    fps = _settle_fps(stream.fps, _counted_fps(shown, pts, stream.clock))
    place_of: dict[int | None, int] = {time: i for i, time in enumerate(pts)}
    keys = [i for i, packet in enumerate(shown) if packet.is_keyframe] if pts else []
    facts = StreamFacts(
        len(shown),
        stream.num_stated,
        fps,
        stream.codec,
        stream.container,
        has_exact_times=bool(pts) and stream.container in _TIMED_CONTAINERS,
        has_closed_groups=bool(pts) and all(i == place_of[shown[i].pts] for i in keys),
        has_hidden_frames=any(packet.is_discard for packet in stream.packets),
        has_gradual_refresh=bool(stream.gradual),
        caveat=_caveat(stream, silent),
    )
    starts = {place_of[shown[i].pts] for i in keys if places[i] not in stream.gradual and not stream.has_palette}
    return PacketList(facts, pts, sorted({0} | starts), stream.clock, first_key_position(stream.packets))


@dataclass(slots=True)
class _Stream:
    """What demuxing a file's best video stream gives."""

    packets: list[Packet]
    gradual: set[int]
    """Places of key packets that begin a gradual refresh."""
    has_palette: bool
    """Whether colours are looked up in a palette beside the packets: it comes once and is lost by a seek."""
    has_order: bool
    """Whether times, where they are given, are those of the screen."""
    container: str
    codec: str
    fps: float
    clock: Fraction
    num_stated: int


def _read_stream(path: Path) -> _Stream:
    """The packets without their data."""
    packets: list[Packet] = []
    gradual: set[int] = set()
    has_palette = False
    container, stream = open_best_stream(path)
    with container:
        context, name = stream.codec_context, str(container.format.name)
        is_reordered, codec, extradata = (
            bool(context.has_b_frames),
            str(context.codec.canonical_name),
            context.extradata,
        )
        for packet in container.demux(stream):
            if not packet.size:
                continue
            if codec == "h264" and packet.is_keyframe and frames_to_recovery(bytes(packet), extradata):
                gradual.add(len(packets))
            has_palette = has_palette or packet.has_sidedata("palette")
            packets.append(Packet(packet.pts, packet.duration or 0, packet.size, packet.is_keyframe, packet.is_discard))
        fps, clock = float(stream.average_rate or stream.guessed_rate or 0), Fraction(stream.time_base or 1)
        num_stated = int(stream.frames)
    if not packets:
        raise DecodeError("the video stream has no frame")
    if name == "jpeg_pipe" and len(packets) == 1:
        raise NotAVideoError("is an image (jpeg), not a video")
    has_order = name != "avi" or not is_reordered
    return _Stream(packets, gradual, has_palette, has_order, name, codec, fps, clock, num_stated)


def _caveat(stream: _Stream, silent: set[int]) -> str:
    if silent:
        return f"{len(silent)} packets that give no frame"
    if stream.has_palette:
        return "a palette that comes with the first frame alone"
    has_any_time = any(packet.pts is not None for packet in stream.packets)
    if has_any_time and stream.has_order and starts_without_references(stream.packets):
        return "a start whose frames may depend on others that were cut off"
    return ""


def _counted_fps(shown: Sequence[Packet], pts: Sequence[int], clock: Fraction) -> float:
    """Frames over duration, 0 where times are unknown."""
    if not pts:
        return 0.0
    ticks = pts[-1] - pts[0] + max((packet.duration for packet in shown if packet.pts == pts[-1]), default=0)
    return len(shown) / float(ticks * clock) if ticks else 0.0


def _settle_fps(stated: float, counted: float) -> float:
    """The frame rate of the header, which is exact; frames over duration where it is far off, as for varying rates."""
    return counted if counted and abs(stated - counted) > 0.05 * counted else stated
