"""Some videos measured -> the disk space that the flow of all of them takes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from vidcls.errors import FlowError, VidclsError
from vidcls.flow.codec import encode_field
from vidcls.flow.on_the_fly import codes_of
from vidcls.flow.settings import FlowSettings
from vidcls.remote.places import Place
from vidcls.remote.whole_files import free_bytes_at
from vidcls.types import VideoRecord
from vidcls.video import open_video
from vidcls.video.total_bytes import total_bytes_of

_NUM_SAMPLED_VIDEOS = 6
_NUM_SAMPLED_FRAMES = 6
_MARGIN = 1.2  # the sample may be the easier part
_INDEX_BYTES, _HEADER_BYTES = 12, 450  # of a field and of a file, beside the fields themselves


@dataclass(frozen=True, slots=True)
class SpaceEstimate:
    """What the flow of some videos will take.

    Args:
        num_bytes: estimated size, 0 where no video could be sampled.
        free_bytes: room on the disk; None where it is not known, as of an object store.
    """

    num_bytes: int
    free_bytes: int | None

    def check(self, root: Place) -> None:
        """FlowError where the disk lacks room for it with a margin of a fifth."""
        if self.free_bytes is not None and self.num_bytes * _MARGIN > self.free_bytes:
            raise FlowError(
                f"the flow needs about {megabytes(self.num_bytes)} and the disk of {root} has "
                f"{megabytes(self.free_bytes)} free: make room, choose another folder, or store less with --short_side"
            )


def estimate_space(records: Sequence[VideoRecord], settings: FlowSettings, root: Place) -> SpaceEstimate:
    """The space for these videos: stored bytes per byte of video, from a few frames of a few of them."""
    stored_bytes = video_bytes = 0.0
    for record in records[:: max(1, len(records) // _NUM_SAMPLED_VIDEOS)][:_NUM_SAMPLED_VIDEOS]:
        try:
            stored_bytes += _stored_bytes(record, settings)
            video_bytes += _num_bytes(record)
        except (VidclsError, OSError, ValueError):
            continue  # reported when its turn comes
    total_bytes = total_bytes_of([record.source for record in records])
    num_bytes = round(total_bytes * stored_bytes / video_bytes) if video_bytes else 0
    return SpaceEstimate(num_bytes, free_bytes_at(root))


def megabytes(num_bytes: float) -> str:
    """A size in words, ``12.3 MB`` or ``4.5 GB``."""
    return f"{num_bytes / 1e9:.1f} GB" if num_bytes >= 1e9 else f"{num_bytes / 1e6:.1f} MB"


def _num_bytes(record: VideoRecord) -> int:
    """The size of the video; 0 of one that is missing."""
    return (record.source.stamp() or (0, 0))[0]


def _stored_bytes(record: VideoRecord, settings: FlowSettings) -> float:
    """The estimated size of one video's flow file."""
    with warnings.catch_warnings(), open_video(record.source, settings.backend(None)) as video:
        warnings.simplefilter("ignore")  # what another decoder had to read is reported when its turn comes
        count = min(video.num_frames, _NUM_SAMPLED_FRAMES)
        first = (video.num_frames - count) // 2
        codes = codes_of(video.frames(range(first, first + count)), settings)
        sizes = [len(encode_field(field)) for field in codes]
        mean_bytes = sum(sizes) / max(1, len(sizes))
        return (mean_bytes + _INDEX_BYTES) * (video.num_frames - 1) + _HEADER_BYTES
