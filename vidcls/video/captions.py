"""Text -> letters that are written into frames; pictures -> one picture in which each has its name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from torch import Tensor

_READABLE_FONT_PX, _SMALLEST_FONT_PX = 11, 6
LEAST_PANEL_PX = 128  # the shorter side of a panel: less is a stamp on a screen
_NAME_PX = 20
GAP_PX = 4  # black, between two panels: grey beside grey would be one picture


def caption(text: str, height_px: int, width_px: int) -> NDArray[np.uint8]:
    """White letters on black, ``(h, width_px)`` uint8 with h at most ``height_px``: as large as fits, or cut short."""
    font_px = max(_READABLE_FONT_PX, height_px // 14)
    while font_px > _SMALLEST_FONT_PX and _text_width(text, font_px) > width_px:
        font_px -= 1
    shown = text
    while len(shown) > 1 and _text_width(shown, font_px) > width_px:
        shown = shown.removesuffix("…")[:-1] + "…"
    strip = Image.new("L", (width_px, min(height_px, font_px * 3 // 2)))
    ImageDraw.Draw(strip).text((font_px // 3, 0), shown, fill=255, font=ImageFont.load_default(font_px))
    return np.array(strip)


def named_panels(panels: Sequence[tuple[Sequence[str], Tensor]]) -> Tensor:
    """Pictures ``(3, H, W)`` uint8 side by side under their lines of text, ``(3, h, w)`` with even sides.

    A thin gap lies between them. Small ones are enlarged by a whole number, so that none is less than 128 pixels high
    or wide.

    Args:
        panels: the lines, as many for each, and the picture, all of one size.
    """
    import torch
    from torch.nn import functional as F

    H, W = panels[0][1].shape[1:]
    zoom = math.ceil(LEAST_PANEL_PX / min(H, W)) if min(H, W) < LEAST_PANEL_PX else 1
    columns = []
    for lines, picture in panels:
        enlarged = F.interpolate(picture[None], scale_factor=zoom, mode="nearest")[0] if zoom > 1 else picture
        columns.append(torch.cat([*(_name(line, W * zoom) for line in lines), enlarged], dim=1))
    gap = torch.zeros(3, columns[0].shape[1], GAP_PX, dtype=torch.uint8)
    joined = torch.cat([columns[0], *(part for column in columns[1:] for part in (gap, column))], dim=2)
    return joined[:, : joined.shape[1] // 2 * 2, : joined.shape[2] // 2 * 2]


def _name(line: str, width_px: int) -> Tensor:
    """A line on black, ``(3, 20, width_px)``."""
    import torch

    strip = torch.zeros(3, _NAME_PX, width_px, dtype=torch.uint8)
    letters = torch.from_numpy(caption(line, _NAME_PX, width_px))
    strip[:, : len(letters)] = letters
    return strip


def _text_width(text: str, font_px: int) -> float:
    """Width with the margin on both sides, in pixels."""
    return ImageFont.load_default(font_px).getlength(text) + 2 * (font_px // 3)
