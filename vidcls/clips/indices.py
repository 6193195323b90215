"""Snippets of a video -> the frames and flow fields that make a clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vidcls.types import ClipSettings
from vidcls.video import flow_window
from vidcls.video.sampling import ShortPolicy


@dataclass(frozen=True)
class ClipIndices:
    """Which frames and which flow fields make a clip; None stands for a field of zeros."""

    rgb: list[int]
    flow: list[int | None]


def with_flow(snippets: Sequence[list[int]], num_frames: int, clip: ClipSettings, short: ShortPolicy) -> ClipIndices:
    """The frames of all snippets, and for each snippet the fields around its middle frame."""
    fields: list[int | None] = []
    for snippet in snippets:
        fields += flow_window(snippet[len(snippet) // 2], clip.flow_len, num_frames, short=short)
    return ClipIndices([index for snippet in snippets for index in snippet], fields)


def ends(fields: list[int | None]) -> list[int]:
    """The frames that each field leads from and to, [3, None] -> [3, 4, 0, 0]; no motion leads to the same frame."""
    return [frame for field in fields for frame in ((0, 0) if field is None else (field, field + 1))]


def runs_of_frames(field_indices: list[int]) -> list[range]:
    """Sorted field indices -> the ranges of neighbouring frames that they lead through: [3, 4, 7] -> 3..5, 7..8."""
    runs: list[range] = []
    for index in field_indices:
        if runs and runs[-1].stop == index + 1:
            runs[-1] = range(runs[-1].start, index + 2)
        else:
            runs.append(range(index, index + 2))
    return runs
