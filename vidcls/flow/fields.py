"""Flow fields -> flow fields: what becomes of the vectors when the picture is flipped, resized, cut or reversed.

Fields are ``(..., 2, H, W)`` in pixels per frame, channel 0 = x to the right, channel 1 = y downwards.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

UNKNOWN_PX = 1e9
"""Ground truth marks an unknown vector by a value beyond this, as the Middlebury format has it."""

Matrix = tuple[tuple[float, float], tuple[float, float]]
"""2x2, its rows: what becomes of x, and of y."""


def flip_horizontal(flow: Tensor) -> Tensor:
    """The flow of the mirrored picture, ``(..., 2, H, W)``: columns in reverse, x negated, y as it was."""
    mirrored = flow.flip(-1)  # a copy
    mirrored[..., 0, :, :].neg_()
    return mirrored


def flip_vertical(flow: Tensor) -> Tensor:
    """The flow of the picture upside down, ``(..., 2, H, W)``: rows in reverse, y negated, x as it was."""
    mirrored = flow.flip(-2)  # a copy
    mirrored[..., 1, :, :].neg_()
    return mirrored


def resize(flow: Tensor, size: tuple[int, int]) -> Tensor:
    """The flow of the picture at ``size`` = (height, width) px, ``(..., 2, *size)``.

    Bilinear, smoothed where it shrinks. Values are scaled by each axis' own factor: what moved 4 px in a width of 100
    moves 2 px in a width of 50.
    """
    H, W = flow.shape[-2:]
    height, width = size
    if (height, width) == (H, W):
        return flow
    scale = flow.new_tensor([width / W, height / H]).view(2, 1, 1)
    flat = flow.reshape(-1, 2, H, W)
    resized = F.interpolate(flat, size=(height, width), mode="bilinear", align_corners=False, antialias=True)
    return (resized * scale).reshape(*flow.shape[:-2], height, width)


def crop(flow: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    """The flow of a part of the picture, ``(..., 2, height, width)``; vectors stay, also those that lead out of it."""
    H, W = flow.shape[-2:]
    if min(top, left) < 0 or min(height, width) < 1 or top + height > H or left + width > W:
        raise ValueError(f"a crop of {height}x{width} px at ({top}, {left}) does not lie inside a field of {H}x{W} px")
    return flow[..., top : top + height, left : left + width]


def turned(flow: Tensor, matrix: Matrix) -> Tensor:
    """The vectors of a picture that a linear map has moved, each mapped as the places are, ``(..., 2, H, W)``.

    What moved from p to p + v in the picture moves from A p to A p + A v in the one moved by A.
    """
    return torch.einsum("ij,...jhw->...ihw", flow.new_tensor(matrix), flow)


def reverse_in_time(flow: Tensor) -> Tensor:
    """The fields of the clip played backwards, ``(T, 2, H, W)`` -> ``(T, 2, H, W)``: order reversed, vectors negated.

    ::

        forwards    frame 0 --field 0--> frame 1 --field 1--> frame 2
        backwards   frame 2 --field 0--> frame 1 --field 1--> frame 0      new field s = -(old field T - 1 - s)

    The frames of T fields are T + 1, so a frame goes to place T - s and a field to place T - 1 - s: a clip that takes
    field t beside frame t must shift by one. A vector stays at the pixel where it began and not where it led, so it
    differs from the flow estimated backwards by as much as flow changes over one displacement.
    """
    return flow.flip(-4).neg()


def stack_channels(clip: Tensor) -> Tensor:
    """A flow clip as channels of one picture, ``(..., 2, T, H, W)`` -> ``(..., 2T, H, W)`` in the order x1 y1 x2 y2."""
    if clip.ndim < 4 or clip.shape[-4] != 2:
        raise ValueError(f"a flow clip is (..., 2, T, H, W), got {tuple(clip.shape)}")
    return clip.transpose(-4, -3).flatten(-4, -3)


def end_point_error(flow: Tensor, truth: Tensor) -> float:
    """The mean distance in pixels between two fields ``(..., 2, H, W)``, over the pixels whose truth is known."""
    if flow.shape != truth.shape:
        raise ValueError(f"two fields of one shape are needed, got {tuple(flow.shape)} and {tuple(truth.shape)}")
    distance_px = torch.linalg.vector_norm(flow.double() - truth.double(), dim=-3)  # (..., H, W)
    known = (truth.abs() < UNKNOWN_PX).all(dim=-3)
    if not known.any():
        raise ValueError("the true field is unknown at every pixel")
    return float(distance_px[known].mean())
