"""The size of a picture -> its size after a resize, and where the crops of a test lie; integers alone."""

from __future__ import annotations

Size = tuple[int, int]
"""Height and width in pixels."""


def enlarged_to_hold(size: Size, crop_size: Size) -> Size:
    """The size at which a picture holds the crop: a smaller one is enlarged, never padded."""
    height, width = size
    if height >= crop_size[0] and width >= crop_size[1]:
        return size
    enlarge = max(crop_size[0] / height, crop_size[1] / width)
    high, wide = (max(side, round(old * enlarge)) for side, old in zip(crop_size, size, strict=True))
    return high, wide


def with_short_side(size: Size, short_px: int) -> Size:
    """The size with this short side, the other one rounded down as torchvision's ``resize`` does it."""
    height, width = size
    if width <= height:
        return int(short_px * height / width), short_px
    return short_px, int(short_px * width / height)


def before_crop(size: Size, *, resize_px: int | None, crop_size: Size) -> Size:
    """The size from which the crops of a test are taken; large for a narrow picture, whose short side grows."""
    return enlarged_to_hold(size if resize_px is None else with_short_side(size, resize_px), crop_size)


def centre(size: Size, crop_size: Size) -> tuple[int, int]:
    """Top and left of the centre crop, half a pixel rounded as torchvision's ``center_crop`` does it."""
    return round((size[0] - crop_size[0]) / 2), round((size[1] - crop_size[1]) / 2)


def three_along(size: Size, crop_size: Size) -> list[tuple[int, int]]:
    """Top and left of three crops along the longer side: at its beginning, in its middle, at its end."""
    spare_height, spare_width = size[0] - crop_size[0], size[1] - crop_size[1]
    if size[1] >= size[0]:
        return [(spare_height // 2, left) for left in (0, spare_width // 2, spare_width)]
    return [(top, spare_width // 2) for top in (0, spare_height // 2, spare_height)]


def corners_and_centre(size: Size, crop_size: Size) -> list[tuple[int, int]]:
    """Top and left of five crops in the order of torchvision's ``five_crop``."""
    bottom, right = size[0] - crop_size[0], size[1] - crop_size[1]
    return [(0, 0), (0, right), (bottom, 0), (bottom, right), centre(size, crop_size)]
