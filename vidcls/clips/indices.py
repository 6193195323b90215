"""Snippets of a video -> the frames and flow fields that make a clip."""

from __future__ import annotations

from collections.abc import Sequence

from vidcls.types import ClipSettings, LoadedKind, Stream
from vidcls.video import flow_window
from vidcls.video.sampling import ShortPolicy

ClipIndices = dict[str, list[int | None]]
"""By stream the frames, or the flow fields, that make a clip; None stands for a field of zeros."""


def clip_indices(
    streams: Sequence[Stream], snippets: Sequence[list[int]], num_frames: int, clip: ClipSettings, short: ShortPolicy
) -> ClipIndices:
    """Of every stream the frames of all snippets, or for each snippet the fields around its middle frame.

    Raises:
        DatasetError: the video has too few fields, and that is refused.
    """
    found: ClipIndices = {stream.name: [] for stream in streams}
    for stream in streams:
        for snippet in snippets:
            indices: Sequence[int | None] = snippet
            if stream.kind == "flow":
                indices = flow_window(snippet[len(snippet) // 2], clip.flow_len, num_frames, short=short)
            found[stream.name] += indices[:: stream.every]
    return found


def frames_behind(indices: Sequence[int | None], kind: LoadedKind) -> list[int]:
    """The frames that are decoded for what is loaded of a stream: its own, or of flow both ends of each field."""
    return [index for index in indices if index is not None] if kind == "rgb" else ends(indices)


def ends(fields: Sequence[int | None]) -> list[int]:
    """The frames that each field leads from and to, [3, None] -> [3, 4, 0, 0]; no motion leads to the same frame."""
    return [frame for field in fields for frame in ((0, 0) if field is None else (field, field + 1))]


def runs_of_frames(field_indices: Sequence[int]) -> list[range]:
    """Sorted field indices -> the ranges of neighbouring frames that they lead through: [3, 4, 7] -> 3..5, 7..8."""
    runs: list[range] = []
    for index in field_indices:
        if runs and runs[-1].stop == index + 1:
            runs[-1] = range(runs[-1].start, index + 2)
        else:
            runs.append(range(index, index + 2))
    return runs
