"""Frames -> clip, on torchvision's transforms: all streams share one draw."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from vidcls.transforms.settings import TransformSettings
from vidcls.transforms.time_change import AS_RECORDED, TimeChange, drawn_time_change, label_after

if TYPE_CHECKING:
    from vidcls.transforms.augmentation import Augmentation, augmented
    from vidcls.transforms.clip import Box, centre_box, evaluation_transform, train_crop
    from vidcls.transforms.flow_tensor import FlowField
    from vidcls.transforms.pixels import ClipPixels, Kinds

_HOMES = {
    "Augmentation": "augmentation",
    "augmented": "augmentation",
    "FlowField": "flow_tensor",
    "ClipPixels": "pixels",
    "Kinds": "pixels",
}  # of the others: clip
__all__ = [
    "AS_RECORDED",
    "Augmentation",
    "Box",
    "ClipPixels",
    "FlowField",
    "Kinds",
    "TimeChange",
    "TransformSettings",
    "augmented",
    "centre_box",
    "drawn_time_change",
    "evaluation_transform",
    "label_after",
    "train_crop",
]


def __getattr__(name: str) -> object:
    """Import torchvision with its first use: settings take none."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"vidcls.transforms.{_HOMES.get(name, 'clip')}"), name)
