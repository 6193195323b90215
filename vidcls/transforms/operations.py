"""RandAugment and affine maps -> the same done to all frames of a clip, and to its flow as motion.

Cubuk, Zoph, Shlens, Le: RandAugment: Practical Automated Data Augmentation with a Reduced Search Space, NeurIPS 2020
(arXiv:1909.13719). Operations, magnitudes and draws are those of torchvision's ``v2.RandAugment`` with bilinear
interpolation: one frame comes out the same to the last digit. Where an operation looks at the whole picture (contrast,
autocontrast, equalize), it looks at the whole clip here, so that brightness does not flicker.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import NamedTuple

import torch
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from vidcls.transforms.pixels import ClipPixels
from vidcls.transforms.settings import NUM_MAGNITUDES, TransformSettings

_BILINEAR = F.InterpolationMode.BILINEAR
Fill = tuple[float, float, float]


class Affine(NamedTuple):
    """Clockwise angle in degrees, factor of the size, shears along x and y in degrees; around the centre."""

    angle: float
    scale: float
    shear_x: float
    shear_y: float


class Operation(NamedTuple):
    """An operation of RandAugment and its signed magnitude, in the unit of the operation; 0 where it has none."""

    name: str
    magnitude: float


def drawn_affine(settings: TransformSettings) -> Affine:
    """A draw of torchvision's ``RandomAffine``, from torch's own random state."""
    shear = settings.shear_degrees
    transform = v2.RandomAffine(settings.rotation_degrees, scale=settings.scale_range, shear=(-shear, shear) * 2)
    draw = transform.make_params([torch.empty((1, *settings.crop_size), device="meta")])
    return Affine(draw["angle"], draw["scale"], *draw["shear"])


def affine(stream: Tensor, turn: Affine, fill: Fill) -> Tensor:
    """A stream of torchvision's types turned, scaled and sheared; flow as motion."""
    angle, scale, *shear = turn
    return F.affine(stream, angle, [0, 0], scale, shear, interpolation=_BILINEAR, fill=list(fill))


def drawn_operations(num_operations: int, magnitude: int, size: tuple[int, int]) -> tuple[Operation, ...]:
    """So many operations, each as likely as any other, from torch's own random state.

    Args:
        num_operations: N of the paper.
        magnitude: M of the paper, 0 to 30.
        size: height and width of what they are done to.
    """
    drawn = []
    for _ in range(num_operations):
        name = tuple(_MAGNITUDES)[int(torch.randint(len(_MAGNITUDES), ()))]
        magnitude_of, is_signed = _MAGNITUDES[name]
        value = 0.0
        if magnitude_of is not None:
            value = magnitude_of(magnitude, *size)
            if is_signed and torch.rand(()) <= 0.5:
                value = -value
        drawn.append(Operation(name, value))
    return tuple(drawn)


def done_to_clip(clip: ClipPixels, operation: Operation, *, colored: Collection[str], fill: Fill) -> ClipPixels:
    """The clip after one operation: what moves the picture is done to all streams, what changes colours to RGB alone.

    Args:
        clip: streams of torchvision's types, all of one size.
        operation: as drawn.
        colored: the streams whose colours are changed.
        fill: red, green and blue of what lies beyond the picture.
    """
    name, magnitude = operation
    if name in _GEOMETRIC:
        return {key: _GEOMETRIC[name](stream, magnitude, fill) for key, stream in clip.items()}
    if name == "Identity" or not colored:
        return clip
    together = torch.cat([clip[key].as_subclass(Tensor) for key in colored])  # (T of all, 3, H, W)
    if name in _OF_WHOLE_PICTURE:
        T, C, H, W = together.shape
        tall = _COLOR[name](together.transpose(0, 1).reshape(C, T * H, W), magnitude)  # one picture
        changed = tall.reshape(C, T, H, W).transpose(0, 1)
    else:
        changed = _COLOR[name](together, magnitude)
    parts = changed.split([len(clip[key]) for key in colored])
    return {**clip, **dict(zip(colored, parts, strict=True))}


def _upto(largest: float) -> Callable[[int, int, int], float]:
    return lambda magnitude, _height, _width: float(torch.linspace(0.0, largest, NUM_MAGNITUDES)[magnitude])


_MAX_SHIFT = 150.0 / 331.0  # of the side
_MAGNITUDES: dict[str, tuple[Callable[[int, int, int], float] | None, bool]] = {  # and whether a sign is drawn
    "Identity": (None, False),
    "ShearX": (_upto(0.3), True),
    "ShearY": (_upto(0.3), True),
    "TranslateX": (lambda magnitude, _, width: _upto(_MAX_SHIFT * width)(magnitude, 0, 0), True),
    "TranslateY": (lambda magnitude, height, _: _upto(_MAX_SHIFT * height)(magnitude, 0, 0), True),
    "Rotate": (_upto(30.0), True),
    "Brightness": (_upto(0.9), True),
    "Color": (_upto(0.9), True),
    "Contrast": (_upto(0.9), True),
    "Sharpness": (_upto(0.9), True),
    "Posterize": (lambda magnitude, _height, _width: float(round(8 - magnitude / ((NUM_MAGNITUDES - 1) / 4))), False),
    "Solarize": (lambda magnitude, _height, _width: float(torch.linspace(1.0, 0.0, NUM_MAGNITUDES)[magnitude]), False),
    "AutoContrast": (None, False),
    "Equalize": (None, False),
}


def _sheared(stream: Tensor, shear: list[float], fill: Fill) -> Tensor:
    kept = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "center": [0, 0]}
    return F.affine(stream, **kept, shear=shear, interpolation=_BILINEAR, fill=list(fill))


def _shifted(stream: Tensor, shift_px: list[int], fill: Fill) -> Tensor:
    return F.affine(stream, 0.0, shift_px, 1.0, [0.0, 0.0], interpolation=_BILINEAR, fill=list(fill))


_GEOMETRIC: dict[str, Callable[[Tensor, float, Fill], Tensor]] = {
    "ShearX": lambda stream, tan, fill: _sheared(stream, [math.degrees(math.atan(tan)), 0.0], fill),
    "ShearY": lambda stream, tan, fill: _sheared(stream, [0.0, math.degrees(math.atan(tan))], fill),
    "TranslateX": lambda stream, px, fill: _shifted(stream, [int(px), 0], fill),
    "TranslateY": lambda stream, px, fill: _shifted(stream, [0, int(px)], fill),
    "Rotate": lambda stream, angle, fill: F.rotate(stream, angle, interpolation=_BILINEAR, fill=list(fill)),
}
_COLOR: dict[str, Callable[[Tensor, float], Tensor]] = {
    "Brightness": lambda rgb, change: F.adjust_brightness(rgb, 1.0 + change),
    "Color": lambda rgb, change: F.adjust_saturation(rgb, 1.0 + change),
    "Contrast": lambda rgb, change: F.adjust_contrast(rgb, 1.0 + change),
    "Sharpness": lambda rgb, change: F.adjust_sharpness(rgb, 1.0 + change),
    "Posterize": lambda rgb, bits: F.posterize(rgb, int(bits)),
    "Solarize": lambda rgb, share: F.solarize(rgb, 255.0 * share),
    "AutoContrast": lambda rgb, _: F.autocontrast(rgb),
    "Equalize": lambda rgb, _: F.equalize(rgb),
}
_OF_WHOLE_PICTURE = ("Contrast", "AutoContrast", "Equalize")
