"""A video file -> what its container says of itself: streams, frames promised and found, rotation, evenness of time."""

from __future__ import annotations

import itertools
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vidcls.errors import DecodeError
from vidcls.video.containers import best_stream, ffmpeg_reason, import_av, is_cover, open_best_stream, open_container

if TYPE_CHECKING:
    from av.container import InputContainer

UNEVEN_GAP = 0.1  # a time between two frames is another one where it differs by so much of the usual one
UNEVEN_SHARE = 0.01  # of the times between frames: fewer are single frames that a camera lost
MISSING_SHARE = 0.05  # of the stated duration, where no number of frames is stated


@dataclass(frozen=True, slots=True)
class ContainerFacts:
    """What a file says of itself, without decoding but for its first frame.

    Args:
        stream_kinds: such as ``("video", "audio")``, sorted; cover pictures are not counted.
        container: FFmpeg's name of the format.
        num_missing: frames that the header states and the file does not hold: it was cut off. Exact where a number of
            frames is stated (MP4, MOV, AVI); else from the stated duration (Matroska, WebM, FLV), from 5 % of it on.
        rotation: the tag of the first frame in degrees, counter-clockwise.
        is_variable_rate: the times between frames differ.
    """

    stream_kinds: tuple[str, ...]
    container: str
    num_missing: int = 0
    rotation: int = 0
    is_variable_rate: bool = False


def container_facts(path: Path) -> ContainerFacts:
    """The facts; reads the whole file once, twice where frames are missing.

    Raises:
        DecodeError: it is not a video or audio file; says why, but not of which file.
    """
    av = import_av()
    try:
        with open_container(path) as container:
            kinds = tuple(sorted({str(stream.type) for stream in container.streams if not is_cover(stream)}))
            name = str(container.format.name)
            if "video" not in kinds:
                return ContainerFacts(kinds, name)
            times = _shown_times(container)
        return ContainerFacts(kinds, name, _num_missing(path), _rotation(path), _is_uneven(times))
    except av.FFmpegError as error:
        raise DecodeError(ffmpeg_reason(error)) from error


def _shown_times(container: InputContainer) -> list[int]:
    """The presentation times of the best video stream in ticks of its clock, sorted."""
    stream = best_stream(container)
    return sorted({p.pts for p in container.demux(stream) if p.size and not p.is_discard and p.pts is not None})


def _is_uneven(times: list[int]) -> bool:
    gaps = [after - before for before, after in itertools.pairwise(times)]
    if not gaps:
        return False
    usual = statistics.median(gaps)
    most = max(UNEVEN_GAP * usual, 1.5)  # a clock of milliseconds cannot tell 33 from 34
    return sum(abs(gap - usual) > most for gap in gaps) > UNEVEN_SHARE * len(gaps)


def _num_missing(path: Path) -> int:
    """Frames that the header states beyond those that are there."""
    with open_container(path, ignore_editlist="1") as container:  # which hides frames on purpose
        stream = best_stream(container)
        num_stated, num_packets, end_seconds = stream.frames, 0, 0.0
        for packet in container.demux():
            if packet.size and packet.pts is not None and packet.time_base is not None:
                end_seconds = max(end_seconds, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            num_packets += bool(packet.size) and packet.stream_index == stream.index
        if num_stated:
            return max(0, num_stated - num_packets)
        start_seconds = (container.start_time or 0) / 1e6
        stated_seconds = (container.duration or 0) / 1e6
        missing_seconds = stated_seconds - max(0.0, end_seconds - start_seconds)
        if missing_seconds <= MISSING_SHARE * stated_seconds:
            return 0
        return int(missing_seconds * float(stream.average_rate or stream.guessed_rate or 0))


def _rotation(path: Path) -> int:
    container, stream = open_best_stream(path)
    with container:
        try:
            return int(next(container.decode(stream)).rotation)
        except (import_av().FFmpegError, StopIteration):
            return 0  # no frame can be decoded, which others find out
