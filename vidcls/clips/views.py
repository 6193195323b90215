"""Clips of a video -> its views at the network's size, and these as streams."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vidcls.clips.settings import InputSettings
from vidcls.transforms import ClipPixels, evaluation_transform


def views_of(clips: Sequence[ClipPixels], settings: InputSettings) -> list[ClipPixels]:
    """The views of a video: clips x crops at the network's size."""
    kinds = settings.loaded_kinds
    return [crop for clip in clips for crop in evaluation_transform(clip, kinds, settings.transform)]


def stack_views(pixels: Sequence[ClipPixels]) -> dict[str, Tensor]:
    """Views ``(T, C, H, W)`` -> streams ``(V, C, T, H, W)``."""
    streams: dict[str, Tensor] = {}
    for name, first in pixels[0].items():
        together = first[None] if len(pixels) == 1 else torch.stack([view[name] for view in pixels])
        streams[name] = together.transpose(1, 2).contiguous()
    return streams
