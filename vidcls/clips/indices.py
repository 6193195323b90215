"""Snippets of a video -> the frames and flow fields that make a clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vidcls.transforms.time_change import AS_RECORDED, TimeChange
from vidcls.types import ClipSettings, LoadedKind, Stream
from vidcls.video import flow_window
from vidcls.video.sampling import ShortPolicy

if TYPE_CHECKING:
    from torch import Tensor

ClipIndices = dict[str, list[int | None]]
"""By stream the frames, or the flow fields, that make a clip (sound: frames); None is a field of zeros."""


def clip_indices(
    streams: Sequence[Stream],
    snippets: Sequence[list[int]],
    frames: tuple[int, int],
    clip: ClipSettings,
    short: ShortPolicy,
    *,
    change: TimeChange = AS_RECORDED,
) -> ClipIndices:
    """Of every stream the frames of all snippets, or for each snippet the fields around its middle frame.

    Fields of a video that is played backwards are named by those of the file that they are made of: of N frames its
    field t is the negative of field N - 2 - t, which leads between the same two frames. At another speed each stands
    for those that it leads over. :func:`in_changed_time` makes of them what they stand for.

    Args:
        streams: of the model.
        snippets: the frames of each.
        frames: ``[first, stop)`` between which fields may lie: those of the video, or of its part.
        clip: how many fields a snippet has.
        short: what stands where there are too few.
        change: how the clip is played.

    Raises:
        DatasetError: the video has too few fields, and that is refused.
    """
    first, stop = frames
    found: ClipIndices = {stream.name: [] for stream in streams}
    for stream in streams:
        for snippet in snippets:
            indices: Sequence[int | None] = snippet
            if stream.kind == "flow":
                middle, last = snippet[len(snippet) // 2] - first, stop - first - 1
                if change.is_reversed:
                    middle = last - middle
                window = flow_window(middle, clip.flow_len, stop - first, short=short, step=change.speed)
                if change.is_reversed:
                    window = [None if index is None else last - 1 - index for index in window]
                indices = [None if index is None else first + index for index in window]
            found[stream.name] += indices[:: stream.every]
    return found


def in_changed_time(pixels: Tensor, kind: LoadedKind, change: TimeChange) -> Tensor:
    """What was read of a stream -> what it shows when the video is played in this way, its frames being in order."""
    if kind == "flow" and change != AS_RECORDED:
        return pixels * float(-change.speed if change.is_reversed else change.speed)
    if kind == "frame_pairs" and change.is_reversed:
        return pixels.unflatten(0, (-1, 2)).flip(1).flatten(0, 1)  # the second frame of each pair comes first
    return pixels


def frames_behind(indices: Sequence[int | None], kind: LoadedKind) -> list[int]:
    """The frames that are decoded for what is loaded of a stream: its own, or of flow both ends of each field."""
    if kind == "audio":
        return []
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
