"""Records -> what their files are: frames, rate, size, codec, or why they cannot be read."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from vidcls.errors import DecodeError
from vidcls.types import VideoInfo, VideoRecord
from vidcls.video import open_video
from vidcls.video.reader import Backend

COLUMNS = ("name", "label", "split", "group", "frames", "fps", "height", "width", "codec", "error")


@dataclass(frozen=True)
class VideoFacts:
    """One video file.

    Args:
        record: which video.
        info: what it is; None where it cannot be read.
        error: why not.
    """

    record: VideoRecord
    info: VideoInfo | None
    error: str = ""

    @property
    def seconds(self) -> float | None:
        """How long it is; None where it cannot be read or states no rate."""
        return self.info.num_frames / self.info.fps if self.info is not None and self.info.fps > 0 else None


def read_facts(records: Sequence[VideoRecord], *, decoder: Backend | None = None) -> Iterator[VideoFacts]:
    """The facts of every video, in order, as they come; each file is opened and one frame of it decoded.

    Args:
        records: N videos.
        decoder: the one decoder to use; None tries them in turn.
    """

    def facts(record: VideoRecord) -> VideoFacts:
        try:
            with open_video(record.source, decoder) as video:
                return VideoFacts(record, video.info)
        except DecodeError as error:
            return VideoFacts(record, None, str(error))

    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        warnings.simplefilter("ignore")  # another decoder that took over is no fault of the file
        yield from pool.map(facts, records)


def fact_rows(found: Sequence[VideoFacts]) -> Iterator[Sequence[object]]:
    """The rows of a table with a line for each video."""
    yield COLUMNS
    for facts in found:
        record, info = facts.record, facts.info
        of_file: tuple[object, ...] = ("",) * 5
        if info is not None:
            of_file = (info.num_frames, f"{info.fps:.6g}", info.height_px, info.width_px, info.codec)
        yield [record.name, record.label, record.split, record.group or "", *of_file, facts.error]
