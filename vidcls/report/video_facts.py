"""What a check found out about files -> what a page and a csv file say of them: frames, rate, size, codec, faults."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vidcls.checks.parts import num_frames_of
from vidcls.types import VideoInfo, VideoRecord
from vidcls.video.health import Health

COLUMNS = ("name", "label", "split", "group", "frames", "fps", "height", "width", "codec", "error")


@dataclass(frozen=True)
class VideoFacts:
    """One video file, or a part of one.

    Args:
        record: which video.
        info: what it is; None where it cannot be read.
        error: why not, or why not all of it.
    """

    record: VideoRecord
    info: VideoInfo | None
    error: str = ""

    @classmethod
    def of(cls, record: VideoRecord, health: Health) -> VideoFacts:
        """The facts of a file that was checked."""
        if not health.height_px:
            return cls(record, None, health.reason)
        num_frames = num_frames_of(record.part, health)
        info = VideoInfo(num_frames, health.fps, health.height_px, health.width_px, health.codec)
        return cls(record, info, health.reason)

    @property
    def seconds(self) -> float | None:
        """How long it is; None where it cannot be read or states no rate."""
        return self.info.num_frames / self.info.fps if self.info is not None and self.info.fps > 0 else None


def fact_rows(found: Sequence[VideoFacts]) -> Iterator[Sequence[object]]:
    """The rows of a table with a line for each video."""
    yield COLUMNS
    for facts in found:
        record, info = facts.record, facts.info
        of_file: tuple[object, ...] = ("",) * 5
        if info is not None:
            of_file = (info.num_frames, f"{info.fps:.6g}", info.height_px, info.width_px, info.codec)
        yield [record.name, record.label, record.split, record.group or "", *of_file, facts.error]
