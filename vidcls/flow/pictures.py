"""A flow field ``(2, H, W)`` -> pictures ``(3, H, W)`` uint8 RGB: x, y, direction by colour, arrows."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.utils import flow_to_image

NUM_ARROWS = 6  # in the shorter side of a picture


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


def arrow_picture(
    flow: Tensor, frame: Tensor | None = None, *, spacing_px: int = 12, zoom: int = 3, times: float = 1.0
) -> Tensor:
    """Arrows every ``spacing_px`` on the frame ``(3, H, W)`` uint8 or on white, enlarged by ``zoom``.

    They are black with a white rim, so that they can be seen on any ground; shorter ones than a sixth of the spacing,
    which would be dots, are left out.

    Args:
        flow: ``(2, H, W)`` in pixels.
        frame: the ground; white where None.
        spacing_px: from one to the next.
        zoom: by how much everything is enlarged.
        times: how much longer than the motion they are; see :func:`arrow_times`.
    """
    import cv2

    H, W = flow.shape[-2:]
    ground = torch.full((3, H, W), 255, dtype=torch.uint8) if frame is None else frame
    enlarged = F.interpolate(ground[None], scale_factor=zoom, mode="nearest")[0]
    canvas = enlarged.permute(1, 2, 0).contiguous().numpy()  # (zoom*H, zoom*W, 3)
    thickness = max(1, round(zoom * spacing_px / 20))
    arrows: list[tuple[tuple[int, int], tuple[int, int]]] = []
    for y in range(spacing_px // 2, H, spacing_px):
        for x in range(spacing_px // 2, W, spacing_px):
            dx, dy = (times * float(v) for v in flow[:, y, x])
            if max(abs(dx), abs(dy)) >= spacing_px / 6:
                arrows.append(((zoom * x, zoom * y), (round(zoom * (x + dx)), round(zoom * (y + dy)))))
    for color, width in (((255, 255, 255), thickness + 2), ((0, 0, 0), thickness)):
        for start, end in arrows:
            cv2.arrowedLine(canvas, start, end, color, width, cv2.LINE_AA, 0, 0.35)
    return torch.from_numpy(canvas).permute(2, 0, 1).contiguous()


def arrow_spacing_px(size: tuple[int, int]) -> int:
    """The distance of arrows in a picture of that height and width: some six in its shorter side."""
    return max(6, min(size) // NUM_ARROWS)


def arrow_times(bound_px: float, spacing_px: int) -> float:
    """By how much arrows are lengthened, so that one of the bound nearly reaches the next; a round number."""
    times = 0.8 * spacing_px / bound_px
    return float(round(times)) if times >= 2 else max(0.1, round(times, 1))


def arrows_on(picture: Tensor, flow: Tensor, *, bound_px: float, zoom: int = 4) -> Tensor:
    """A picture ``(3, H, W)`` uint8 enlarged, with a few arrows of its flow ``(2, H, W)`` that one can see."""
    spacing = arrow_spacing_px((flow.shape[-2], flow.shape[-1]))
    return arrow_picture(flow, picture, spacing_px=spacing, zoom=zoom, times=arrow_times(bound_px, spacing))


def field_picture(flow: Tensor, *, bound_px: float) -> Tensor:
    """x, y and direction side by side, ``(3, H, 3W + 4)`` with white lines between."""
    x = component_picture(flow[0], bound_px=bound_px)
    y = component_picture(flow[1], bound_px=bound_px)
    line = torch.full((3, flow.shape[-2], 2), 255, dtype=torch.uint8)
    return torch.cat([x, line, y, line, direction_picture(flow, bound_px=bound_px)], dim=2)
