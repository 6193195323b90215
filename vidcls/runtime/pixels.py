"""The streams of a clip as decoded -> its test crops at the network's size, in NumPy.

The twin of :func:`vidcls.transforms.evaluation_transform`: the same sizes and places, the same pixels, and the same
flow to 1e-5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidcls.clips.settings import InputSettings
from vidcls.runtime.resize import resize_flow, resize_frames
from vidcls.transforms.geometry import (
    Size,
    centre,
    corners_and_centre,
    enlarged_to_hold,
    three_along,
    with_short_side,
)
from vidcls.transforms.settings import TransformSettings
from vidcls.types import LoadedKind

Pixels = NDArray[Any]
"""RGB ``(T, 3, H, W)`` uint8, flow ``(F, 2, H, W)`` float32 px, or pairs of frames ``(2F, 3, H, W)`` uint8."""
Clip = dict[str, Pixels]
"""One clip by stream."""
Kinds = Mapping[str, LoadedKind]
_REFERENCE: tuple[LoadedKind, ...] = ("rgb", "flow", "frame_pairs")  # whose size the others are brought to


def views_of(clips: Sequence[Clip], settings: InputSettings) -> list[Clip]:
    """The views of a video: clips x crops at the network's size."""
    return [crop for clip in clips for crop in test_crops(clip, settings.loaded_kinds, settings.transform)]


def stacked(views: Sequence[Clip]) -> dict[str, Pixels]:
    """Views ``(T, C, H, W)`` -> streams ``(V, C, T, H, W)``."""
    return {name: np.stack([view[name].swapaxes(0, 1) for view in views]) for name in views[0]}


def test_crops(clip: Clip, kinds: Kinds, settings: TransformSettings) -> list[Clip]:
    """The ``test_crops`` crops of a clip, each of ``crop_px``, in the order of the test."""
    streams, crop_size = _same_size(clip, kinds, settings), settings.crop_size
    held = enlarged_to_hold(_size_of(streams), crop_size)
    streams = {name: _resized(stream, kinds[name], held) for name, stream in streams.items()}
    size = _size_of(streams)
    if settings.test_crops == 3:
        return [_cropped(streams, place, crop_size) for place in three_along(size, crop_size)]
    if settings.test_crops in (1, 2):
        middle = _cropped(streams, centre(size, crop_size), crop_size)
        return [middle] if settings.test_crops == 1 else [middle, _mirrored(middle, kinds)]
    places = corners_and_centre(size, crop_size)
    return [_cropped(each, place, crop_size) for each in (streams, _mirrored(streams, kinds)) for place in places]


def _same_size(clip: Clip, kinds: Kinds, settings: TransformSettings) -> Clip:
    """The streams at one size: that of RGB, else that of flow, after the resize."""
    first = min(clip, key=lambda name: _REFERENCE.index(kinds[name]))
    height, width = clip[first].shape[-2:]
    size = (height, width)
    if settings.stretch:
        size = settings.crop_size
    elif settings.resize_px is not None:
        size = with_short_side(size, settings.resize_px)
    return {name: _resized(stream, kinds[name], size) for name, stream in clip.items()}


def _resized(pixels: Pixels, kind: LoadedKind, size: Size) -> Pixels:
    return resize_flow(pixels, size) if kind == "flow" else resize_frames(pixels, size)


def _mirrored(clip: Clip, kinds: Kinds) -> Clip:
    """Columns in reverse, and flow to the right becomes flow to the left."""
    return {
        name: pixels[..., ::-1] * _TURNED if kinds[name] == "flow" else pixels[..., ::-1]
        for name, pixels in clip.items()
    }


def _cropped(clip: Clip, place: tuple[int, int], size: Size) -> Clip:
    (top, left), (height, width) = place, size
    return {name: pixels[..., top : top + height, left : left + width] for name, pixels in clip.items()}


def _size_of(clip: Clip) -> Size:
    height, width = next(iter(clip.values())).shape[-2:]
    return height, width


_TURNED = np.array([-1, 1], dtype=np.float32)[:, None, None]
