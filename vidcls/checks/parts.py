"""Parts of videos and what is known of the files -> those that are not in their video, and overlaps across splits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from vidcls.checks.cache import CheckedVideo
from vidcls.checks.finding import Finding
from vidcls.errors import DatasetError
from vidcls.types import VideoRecord
from vidcls.video.health import Health
from vidcls.video.source import VideoSource
from vidcls.video.timing import EvenStarts, FrameTimes, frames_of_part
from vidcls.video_part import VideoPart


def part_findings(records: Sequence[VideoRecord], known: Mapping[VideoSource, CheckedVideo]) -> Iterator[Finding]:
    """What is wrong with parts, as far as the length and the rate of a file tell it; nothing is opened.

    Args:
        records: videos that can be read.
        known: what is known of their files.
    """
    parts = [record for record in records if record.part is not None]
    lines = [f"{r.video_name}: {fault}" for r in parts if (fault := _fault(r.part, known[r.source].health))]
    if lines:
        title = "1 part is not in its video" if len(lines) == 1 else f"{len(lines)} parts are not in their videos"
        yield Finding("part", True, title, tuple(lines), "correct start and end in the list, or remove the lines")
    across = [
        f"{one.name} ({one.split}) and {other.name} ({other.split})"
        for one, other in _pairs(parts)
        if one.split != other.split and _overlap(one, other, known[one.source].health)
    ]
    if across:
        title = f"parts of one video overlap in different splits ({len(across)} pairs): the test does not test them"
        yield Finding("leak", True, title, tuple(across), "give all parts of a video one group, or leave groups out")


def num_frames_of(part: VideoPart | None, health: Health) -> int:
    """Frames of a part of a video, as if they were shown evenly; 0 where it is not in the video."""
    if part is None:
        return health.num_frames
    found = _frames(part, health)
    return 0 if isinstance(found, str) else found[1] - found[0]


def _frames(part: VideoPart, health: Health) -> tuple[int, int] | str:
    num_frames, fps = health.num_frames, health.fps
    if part.unit == "seconds" and fps <= 0:  # its time stamps say it, which a check does not keep
        return 0, num_frames
    try:
        return frames_of_part(
            part, num_frames, lambda: FrameTimes(EvenStarts(num_frames, fps), num_frames / fps, is_even=True)
        )
    except DatasetError as error:
        return str(error)


def _fault(part: VideoPart | None, health: Health) -> str:
    found = _frames(part or VideoPart(), health)
    return found if isinstance(found, str) else ""


def _pairs(parts: Sequence[VideoRecord]) -> Iterator[tuple[VideoRecord, VideoRecord]]:
    """Parts of one file, where these are in several splits."""
    by_source: dict[VideoSource, list[VideoRecord]] = {}
    for record in parts:
        by_source.setdefault(record.source, []).append(record)
    for together in by_source.values():
        if len({record.split for record in together}) > 1:
            yield from combinations(together, 2)


def _overlap(one: VideoRecord, other: VideoRecord, health: Health) -> bool:
    mine, others = (_frames(record.part or VideoPart(), health) for record in (one, other))
    if isinstance(mine, str) or isinstance(others, str):
        return False
    return mine[0] < others[1] and others[0] < mine[1]
