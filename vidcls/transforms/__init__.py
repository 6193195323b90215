"""Frames -> clip, on torchvision's transforms: all streams share one draw."""

from vidcls.transforms.clip import (
    Augmentation,
    Box,
    ClipPixels,
    Kinds,
    augmented,
    centre_box,
    evaluation_transform,
    train_crop,
)
from vidcls.transforms.flow_tensor import FlowField
from vidcls.transforms.settings import TransformSettings

__all__ = [
    "Augmentation",
    "Box",
    "ClipPixels",
    "FlowField",
    "Kinds",
    "TransformSettings",
    "augmented",
    "centre_box",
    "evaluation_transform",
    "train_crop",
]
