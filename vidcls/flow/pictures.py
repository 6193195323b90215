"""A flow field ``(2, H, W)`` -> pictures ``(3, H, W)`` uint8 RGB: x, y, direction by colour, arrows."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.utils import flow_to_image


def component_picture(component: Tensor, *, bound_px: float) -> Tensor:
    """One component ``(H, W)`` in grey: mid grey (128) is no motion, white +bound, black -bound."""
    grey = (component.float() / bound_px * 127).round().clamp(-127, 127).add(128).to(torch.uint8)
    return grey.expand(3, -1, -1).clone()


def direction_picture(flow: Tensor, *, bound_px: float) -> Tensor:
    """Direction as hue, length as saturation: torchvision's wheel; white is no motion, full colour a length of bound.

    The wheel of torchvision scales each picture by its own longest vector; here the bound is the scale, so that
    pictures can be compared and a still picture stays white.
    """
    scaled = flow.float() / bound_px
    length = torch.linalg.vector_norm(scaled, dim=0, keepdim=True)
    scaled = scaled / length.clamp(min=1)
    # One more row with a vector of length 1 fixes the scale.
    scale_row = torch.zeros_like(scaled[:, :1])
    scale_row[0] = 1
    return flow_to_image(torch.cat([scaled, scale_row], dim=1))[:, :-1]


def arrow_picture(flow: Tensor, frame: Tensor | None = None, *, spacing_px: int = 12, zoom: int = 3) -> Tensor:
    """Arrows in true length every ``spacing_px`` on the frame ``(3, H, W)`` uint8 or on white, enlarged by ``zoom``."""
    import cv2

    H, W = flow.shape[-2:]
    ground = torch.full((3, H, W), 255, dtype=torch.uint8) if frame is None else frame
    enlarged = F.interpolate(ground[None], scale_factor=zoom, mode="nearest")[0]
    canvas = enlarged.permute(1, 2, 0).contiguous().numpy()  # (zoom*H, zoom*W, 3)
    for y in range(spacing_px // 2, H, spacing_px):
        for x in range(spacing_px // 2, W, spacing_px):
            dx, dy = (float(v) for v in flow[:, y, x])
            if max(abs(dx), abs(dy)) >= 0.5:  # shorter ones would be dots
                start = (zoom * x, zoom * y)
                end = (round(zoom * (x + dx)), round(zoom * (y + dy)))
                cv2.arrowedLine(canvas, start, end, (220, 40, 40), 1, cv2.LINE_AA, 0, 0.3)
    return torch.from_numpy(canvas).permute(2, 0, 1).contiguous()


def field_picture(flow: Tensor, *, bound_px: float) -> Tensor:
    """x, y and direction side by side, ``(3, H, 3W + 4)`` with white lines between."""
    x = component_picture(flow[0], bound_px=bound_px)
    y = component_picture(flow[1], bound_px=bound_px)
    line = torch.full((3, flow.shape[-2], 2), 255, dtype=torch.uint8)
    return torch.cat([x, line, y, line, direction_picture(flow, bound_px=bound_px)], dim=2)
