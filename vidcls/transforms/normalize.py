"""Pixels and motion -> what a network is fed: float32 around zero, on whatever device the clip lies."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vidcls.transforms.settings import TransformSettings


def normalize_rgb(rgb: Tensor, settings: TransformSettings) -> Tensor:
    """RGB ``(..., 3, T, H, W)`` uint8 -> float32, ``(rgb / 255 - mean) / std`` for each channel."""
    mean = constants(settings.rgb_mean, rgb.device).view(3, 1, 1, 1)
    std = constants(settings.rgb_std, rgb.device).view(3, 1, 1, 1)
    return (rgb.float() / 255 - mean) / std


def normalize_flow(flow: Tensor, settings: TransformSettings) -> Tensor:
    """Flow ``(..., 2, T, H, W)`` px -> float32, without its mean over each field and divided by ``flow_std_px``."""
    flow = flow.float()
    if settings.flow_subtract_mean:
        flow = flow - flow.mean(dim=(-2, -1), keepdim=True)
    return flow / settings.flow_std_px


def constants(values: Sequence[float], device: torch.device) -> Tensor:
    """Numbers ``(N,)`` float32 on a device, written there: a tensor copied to a GPU waits until the GPU is idle."""
    return torch.stack([torch.full((), value, device=device) for value in values])
